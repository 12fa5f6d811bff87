//! `spindled`: arguments, then the order in which the daemon comes up.
//!
//! Everything that can be refused is refused before the first socket exists, so that a script that waits for the socket
//! knows the rest is right.

mod args;
mod confine;
mod drive;
mod patience;
mod spec;
mod state;
mod targets;

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use clap::Parser;
use log::{info, warn};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use signal_hook::iterator::Signals;

use self::args::Args;
use self::confine::Sandbox;
use self::state::{How, StateFolder};
use super::error::{CliError, Exit, report};
use super::output::output;
use super::signals::ending_signals;
use crate::control;
use crate::drive::HostClock;
use crate::sound;
use crate::source::BlockCache;
use crate::sys::join::join_within;
use crate::sys::maker::SocketMaker;
use crate::sys::service::{self, Manager};
use crate::sys::socket::BoundSocket;
use crate::vhost_user::Server;

/// Runs the daemon with the arguments of the process.
#[must_use]
pub fn main() -> ExitCode {
    // The contract of vhost-user back-end programs: print, exit 0, ignore everything else.
    if std::env::args_os().skip(1).any(|argument| argument == "--print-capabilities") {
        return report("spindled", output(|out| writeln!(out, "{{\"type\":\"scsi\"}}")));
    }
    match Args::try_parse() {
        Ok(args) => report("spindled", run(&args)),
        Err(error) if error.use_stderr() => report("spindled", Err(usage_error(&error))),
        Err(help) => help.exit(),
    }
}

/// The reason alone, in one line: who starts a daemon is mostly a program that shows one.
fn usage_error(error: &clap::Error) -> CliError {
    let text = error.render().to_string();
    let reason: Vec<_> = text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
    let reason = reason.join(" ");
    CliError::new(Exit::Usage, format!("{} (see --help)", reason.strip_prefix("error: ").unwrap_or(&reason)))
}

/// How long the end waits for a connection whose worker is in a read.
const PATIENCE: Duration = Duration::from_secs(3);

/// Why the daemon ends.
enum End {
    /// A signal, or `quit` on the control socket.
    Asked,
    /// A server has nothing more to serve.
    Served(io::Result<()>),
}

fn run(args: &Args) -> Result<(), CliError> {
    // First of all: once this process opens descriptors of its own, a number that was not inherited may be one of them.
    let inherited = args.fd.map(targets::inherit).transpose()?;
    let kept = service::kept(state::STORED);
    args::start_log(args.log_level);
    allow_descriptors();
    // No thread of ours that stays starts before the sandbox is closed: it would be outside. Those that look for images, and those that
    // open them, end with that; one whose storage does not answer is left behind with the rights that it has.
    let cache = BlockCache::held_back(args.cache_size);
    let how =
        How { cache: Arc::clone(&cache), passwords: args.how.passwords()?, allow_outside: args.how.allow_outside };
    let spool = confine::spool_folder(args.sandbox);
    let spool = spool.map_err(|error| {
        CliError::new(Exit::Failure, format!("a folder for temporary files: {error} ($TMPDIR names another)"))
    })?;
    let specs = args.drives()?;
    let groups = targets::group(&specs, args)?;
    let control_path = control_path(args);
    let sockets = sockets(&groups, args, control_path.as_deref())?;
    let folders = sockets.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>();
    let mut maker = SocketMaker::start(sockets)?;
    let manager = service_manager();
    let state = args.state_dir.as_deref().map(|path| StateFolder::open(path, &spool, manager.clone(), kept));
    let state = state.transpose()?;
    let mut planned = drive::plan(&specs, &groups, state.as_ref())?;
    // They end this process as they would any, until the disc is in the drive: it may ask for a password.
    let (signals, ending) = (Signals::new::<[i32; 0], i32>([])?, ending_signals());
    let host_sound = specs.iter().any(|spec| matches!(spec.audio, Some(sound::Choice::Host(_))));
    let allowed = confine::allowed(&args.media_roots, &spool, &folders, host_sound)?;
    let deadline = Duration::from_secs(args.read_deadline.into());
    let patience = if deadline.is_zero() { Duration::MAX } else { deadline };
    if args.sandbox == Sandbox::On {
        let mut images = drive::images(&mut planned, state.as_ref(), patience)?;
        if args.how.allow_outside {
            images.push(confine::hold(Path::new("/"))?);
        }
        confine::before_images(&allowed, &images)?;
    }
    let into = args.how.spool.then_some(&*spool);
    let drives = drive::make(planned, &how, into, state, (deadline, patience))?;
    ending.into_iter().try_for_each(|signal| signals.add_signal(signal))?;

    let mut targets = targets::open(&groups, &drives, args, &mut maker, inherited)?;
    // The files go with these at the end, when nobody is served any more.
    let _sockets: Vec<_> = targets.iter_mut().filter_map(|target| target.socket.take()).collect();
    let control_socket = control_path.map(|path| control_socket(args, &path, &mut maker)).transpose()?.flatten();
    drop(maker);
    if args.sandbox == Sandbox::On {
        confine::before_guests(&allowed)?;
    }
    cache.release();
    HostClock::shared().start()?;
    let (end, ended) = mpsc::channel();
    end_on_signals(signals, end.clone())?;
    let _control = match &control_socket {
        Some(socket) => {
            let end = end.clone();
            let policy = control::Policy {
                cache,
                allow_outside: args.how.allow_outside,
                spool,
                sandboxed: args.sandbox == Sandbox::On,
                keep_open: args.state_dir.is_some() && manager.is_some(),
            };
            // Nobody listens any more only when the process is ending anyway.
            let quit = move || drop(end.send(End::Asked));
            let drives = targets::attached(&groups, &drives);
            Some(control::Server::start(socket.listener()?, drives, policy, Box::new(quit))?)
        }
        None => None,
    };
    let poll = Duration::from_micros(args.poll.into());
    let mut serving = Vec::new();
    for target in targets {
        let server = Server::new(&target.drives)?.polling(poll);
        let (stop, end, once) = (server.stop_handle(), end.clone(), args.once);
        let serve = move || drop(end.send(End::Served(server.run(target.endpoint, once))));
        serving.push((stop, thread::Builder::new().name("serve".to_owned()).spawn(serve)?));
    }
    info!("ready: {} drive(s)", drives.len());
    if let Some(Err(error)) = manager.as_ref().map(|manager| manager.ready()) {
        warn!("the service manager cannot be told: {error}");
    }

    let result = wait_for_end(&ended, serving.len());
    serving.iter().for_each(|(stop, _)| stop.stop());
    for (_, thread) in serving {
        match join_within(thread, PATIENCE) {
            Some(Ok(())) => {}
            Some(Err(_)) => return Err(CliError::new(Exit::Failure, "the serving thread panicked")),
            None => warn!("a read from storage that does not answer is left behind"),
        }
    }
    Ok(result?)
}

/// The service manager that started this process, if it was one.
fn service_manager() -> Option<Arc<Manager>> {
    let manager = Manager::of_this_process();
    manager.inspect_err(|error| warn!("the service manager cannot be reached: {error}")).ok().flatten().map(Arc::new)
}

/// Takes as many descriptors as this user may have: a front-end costs a few for each of its rings, and the usual limit is for
/// programs that cannot count beyond 1,023.
fn allow_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    let all = Rlimit { current: limit.maximum, ..limit };
    if let Err(error) = setrlimit(Resource::Nofile, all) {
        warn!("the limit of open files stays as it is: {error}");
    }
}

/// Waits until somebody ends the daemon, or none of its servers has anything more to serve.
fn wait_for_end(ended: &Receiver<End>, mut servers: usize) -> io::Result<()> {
    while servers > 0 {
        match ended.recv() {
            Ok(End::Served(result)) => result?,
            Ok(End::Asked) | Err(mpsc::RecvError) => break,
        }
        servers -= 1;
    }
    Ok(())
}

/// Where the control socket will be: where `--control` says, else in the runtime folder, where `spindle` looks for it, if there is one.
fn control_path(args: &Args) -> Option<PathBuf> {
    if args.control.is_some() {
        return args.control.clone();
    }
    let Some(folder) = control::runtime_dir() else {
        warn!("no control socket: there is no runtime folder, $XDG_RUNTIME_DIR or /run (give --control PATH)");
        return None;
    };
    if let Err(error) = DirBuilder::new().mode(0o700).recursive(true).create(&folder) {
        warn!("no control socket: {}: {error} (give --control PATH)", folder.display());
        return None;
    }
    Some(folder.join(format!("{}.sock", std::process::id())))
}

/// The sockets that are made, in the order in which they are, with their groups.
fn sockets(
    groups: &[targets::Group],
    args: &Args,
    control: Option<&Path>,
) -> Result<Vec<(PathBuf, Option<u32>)>, CliError> {
    let group_id = args.socket_group.as_deref().map(args::group_id).transpose()?;
    let of_drives = groups.iter().filter_map(|group| group.path_by(args)).map(|path| (path.to_owned(), group_id));
    Ok(of_drives.chain(control.map(|path| (path.to_owned(), None))).collect())
}

/// The control socket; one that was asked for must work.
fn control_socket(args: &Args, path: &Path, maker: &mut SocketMaker) -> Result<Option<BoundSocket>, CliError> {
    match maker.make() {
        Ok(socket) => Ok(Some(socket)),
        Err(error) if args.control.is_some() => {
            Err(CliError::new(Exit::Failure, format!("{}: {error}", path.display())))
        }
        Err(error) => {
            warn!("no control socket: {}: {error} (give --control PATH)", path.display());
            Ok(None)
        }
    }
}

/// These signals end the daemon as `quit` does.
fn end_on_signals(mut signals: Signals, end: Sender<End>) -> io::Result<()> {
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        if let Some(signal) = signals.forever().next() {
            info!("ending on signal {signal}");
            let _ = end.send(End::Asked);
        }
    })?;
    Ok(())
}
