//! Opening what a client names: a path, or descriptors that it passed.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use log::warn;

use super::error::{NOT_RECOGNISED, VerbError};
use super::fdset::{FdSets, LONGEST_NAME};
use crate::drive::Medium;
use crate::image::{
    ImageError, ImageErrorKind, NoPassword, OpenOptions, Opened, Origin, Passwords, open_passable, open_with,
};
use crate::source::siblings::NamedSources;
use crate::source::{BlockCache, FileSource, SharedSource, is_remote_file};
use crate::sys::heap;

/// How the daemon opens images, whoever asks.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The cache that all images share.
    pub cache: Arc<BlockCache>,
    /// Whether images may name files outside their own folder.
    pub allow_outside: bool,
    /// Where what has no random access may be decoded into temporary files.
    pub spool: PathBuf,
    /// Whether only what clients pass and some folders can be opened.
    pub sandboxed: bool,
    /// Whether files that clients pass stay open by themselves, for whoever keeps them over a restart.
    pub keep_open: bool,
}

/// What a client says about an image.
#[derive(Debug, Default)]
pub struct Request<'a> {
    /// A path, or `/dev/fdset/N`.
    pub file: &'a str,
    /// What people are shown instead of `file`, where that says nothing.
    pub locator: Option<&'a str>,
    /// The id of the format that it must have.
    pub format: Option<&'a str>,
    /// Its password.
    pub password: Option<&'a str>,
    /// Whether it may be decoded into a temporary file.
    pub spool: bool,
}

/// Opens an image, outside every lock but for taking the descriptors of a set.
///
/// # Errors
/// When it cannot be opened; nothing has changed then.
pub fn open(sets: &Mutex<FdSets>, policy: &Policy, request: &Request<'_>) -> Result<Arc<Medium>, VerbError> {
    let Request { file: filename, locator, format, password, spool } = *request;
    if locator.is_some_and(|locator| locator.len() > LONGEST_NAME) {
        return Err(VerbError::generic(format!("Parameter 'locator' expects at most {LONGEST_NAME} bytes")));
    }
    let shown = locator.unwrap_or(filename);
    let given = password.map(Given);
    let passwords: &dyn Passwords = given.as_ref().map_or(&NoPassword, |given| given);
    let options = OpenOptions {
        cache: Arc::clone(&policy.cache),
        passwords,
        allow_outside: policy.allow_outside,
        spool: spool.then_some(&*policy.spool),
    };
    let (opened, origin, remote) = match filename.strip_prefix("/dev/fdset/") {
        Some(number) => open_set(sets, number, shown, &options, policy.keep_open)?,
        None => {
            let path = Path::new(filename);
            let (opened, origin) = open_by_path(path, &options).map_err(|error| by_path(&error, policy))?;
            let remote = origin.is_remote();
            (opened, origin, remote)
        }
    };
    if let Some(wanted) = format.filter(|wanted| !matches!(*wanted, "raw" | "auto") && *wanted != opened.format.id) {
        return Err(VerbError::generic(format!(
            "{shown}: the content is of format {}, not {wanted}",
            opened.format.id
        )));
    }
    // An index is read in many small steps.
    heap::give_back();
    for warning in &opened.warnings {
        warn!("{shown}: {warning}");
    }
    let locator = match locator {
        Some(locator) => locator.to_owned(),
        None => {
            std::path::absolute(filename).unwrap_or_else(|_| PathBuf::from(filename)).to_string_lossy().into_owned()
        }
    };
    Ok(Arc::new(Medium { disc: opened.disc, locator, format: opened.format.id, origin, remote }))
}

fn open_by_path(path: &Path, options: &OpenOptions<'_>) -> Result<(Opened, Origin), ImageError> {
    let image = open_passable(path, options)?;
    let origin = Origin::by_path(path, &image, options.spool.is_some());
    Ok((image.opened, origin.map_err(|error| ImageError::io(error).in_file(path.display().to_string()))?))
}

/// The first descriptor of a set is the image, the others are the files that it names. Also whether any of them is on storage that
/// may not answer.
fn open_set(
    sets: &Mutex<FdSets>,
    number: &str,
    shown: &str,
    options: &OpenOptions<'_>,
    keep_open: bool,
) -> Result<(Opened, Origin, bool), VerbError> {
    let number = number.parse().map_err(|_| VerbError::generic(format!("{shown}: not the number of an fd set")))?;
    let files = sets.lock().unwrap_or_else(PoisonError::into_inner).open(number);
    let open = || {
        let (image, companions) = files.map_err(ImageError::io)?;
        let all = companions.iter().map(|(_, file)| file).chain([&image]);
        let remote = all.map(|file| is_remote_file(file)).any(|remote| remote.unwrap_or(true));
        let source = |file: &File| -> Result<SharedSource, ImageError> {
            let source = file.try_clone().and_then(FileSource::from_file);
            Ok(Arc::new(source.map_err(ImageError::io)?))
        };
        let siblings = companions.iter().map(|(name, file)| Ok((name.clone(), source(file)?)));
        let siblings = NamedSources(siblings.collect::<Result<_, ImageError>>()?);
        let name = shown.rsplit('/').next().unwrap_or_default();
        let opened = open_with(source(&image)?, name, Arc::new(siblings), options)?;
        let used =
            |(known, _): &(Vec<u8>, Arc<File>)| opened.companions.iter().any(|companion| companion.name == *known);
        let mut files = vec![(name.as_bytes().to_vec(), image)];
        files.extend(companions.into_iter().filter(used));
        let origin = Origin::by_descriptors(files, options.spool.is_some(), keep_open).map_err(ImageError::io)?;
        Ok((opened, origin, remote))
    };
    open().map_err(|error: ImageError| refusal(&error.in_file(shown)))
}

/// The password that came with the request; a client that has another one asks again.
struct Given<'a>(&'a str);

impl Passwords for Given<'_> {
    fn password(&self, _file: &str, attempt: u32) -> Option<Vec<u8>> {
        (attempt == 0).then(|| self.0.as_bytes().to_vec())
    }
}

/// A path that cannot be opened may be one that the daemon must not open.
fn by_path(error: &ImageError, policy: &Policy) -> VerbError {
    if policy.sandboxed && error.is_permission_denied() {
        let what = "spindled opens what clients pass to it, and files in its --media-root folders";
        return VerbError::generic(format!("Could not open {error}: {what}"));
    }
    refusal(error)
}

fn refusal(error: &ImageError) -> VerbError {
    let description = format!("Could not open {error}");
    match error.kind() {
        ImageErrorKind::NeedsPassword => VerbError::password_required(description, false),
        ImageErrorKind::WrongPassword => VerbError::password_required(description, true),
        ImageErrorKind::Io | ImageErrorKind::Missing | ImageErrorKind::Outside | ImageErrorKind::NeedsSpool => {
            VerbError::generic(description)
        }
        ImageErrorKind::NotRecognised
        | ImageErrorKind::Invalid
        | ImageErrorKind::Limit
        | ImageErrorKind::Unsupported => VerbError::generic(description).because(NOT_RECOGNISED),
    }
}
