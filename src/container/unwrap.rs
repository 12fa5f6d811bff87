//! Taking the containers off an image.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::split::Split;
use super::{CONTAINERS, Container, FormatInfo, ImageError, ImageErrorKind, OpenContext, Probe, Score};
use crate::source::{SharedSource, Siblings};

/// Containers in containers, at most.
const DEEPEST: u32 = 8;

/// What is left when no container is around any more.
#[derive(Debug)]
pub struct Unwrapped {
    /// Its bytes.
    pub source: SharedSource,
    /// Its name: the file's, without the endings of the containers.
    pub name: String,
    /// The files beside it.
    pub siblings: Arc<dyn Siblings>,
    /// The containers that were around it, the outermost first.
    pub chain: Vec<&'static FormatInfo>,
}

/// Takes off every container around `source`.
///
/// # Errors
/// When one of them cannot be opened, or they are nested too deep.
pub fn unwrap(source: SharedSource, cx: &OpenContext<'_>) -> Result<Unwrapped, ImageError> {
    let mut state =
        Unwrapped { source, name: cx.name.to_owned(), siblings: Arc::clone(&cx.siblings), chain: Vec::new() };
    let mut depth = cx.depth;
    loop {
        let probe = Probe::new(&*state.source, &state.name);
        let best = CONTAINERS
            .iter()
            .map(|container| (container.probe(&probe), container))
            .reduce(|best, next| if next.0 > best.0 { next } else { best });
        let Some((_, container)) = best.filter(|(score, _)| *score >= Score::Likely) else { return Ok(state) };
        depth += 1;
        if depth > DEEPEST {
            let message = format!("more than {DEEPEST} containers are nested in one another");
            return Err(ImageError::new(ImageErrorKind::Limit, message));
        }
        let content = {
            let mut inner = cx.inside(&state.name, Arc::clone(&state.siblings));
            inner.depth = depth;
            guarded(container.info(), || container.open(Arc::clone(&state.source), &inner))?
        };
        let info = container.info();
        let name = without_ending(&state.name, info.extensions);
        // `x.part01.isz` holds `x`: its parts are together now.
        let name = without_ending(name, Split.info().extensions).to_owned();
        state.chain.push(info);
        state.source = content.source;
        state.siblings = content.siblings.unwrap_or(state.siblings);
        state.name = name;
    }
}

/// What `open` says of a file that the reader of `format` opens. Parsers of other crates meet hostile bytes here: where one panics, the
/// file is refused, and nothing else ends.
pub(crate) fn guarded<T>(format: &FormatInfo, open: impl FnOnce() -> Result<T, ImageError>) -> Result<T, ImageError> {
    catch_unwind(AssertUnwindSafe(open)).unwrap_or_else(|_| {
        let message = format!("the reader of {} gave up: the file is damaged", format.name);
        Err(ImageError::invalid(message))
    })
}

/// `name` without its ending, if that is one of `endings`: `x.bin.ecm` holds `x.bin`.
fn without_ending<'a>(name: &'a str, endings: &[&str]) -> &'a str {
    match name.rsplit_once('.') {
        Some((stem, ending)) if endings.iter().any(|known| known.eq_ignore_ascii_case(ending)) => stem,
        _ => name,
    }
}
