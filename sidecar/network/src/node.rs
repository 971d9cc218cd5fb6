//! The process of the `DaemonSet`: keeps the plugin installed on its node, or off it.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
use serde_json::Value;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

use crate::installation::{self, Change, Files, concerns};
use crate::settings::PLUGIN;

/// In each folder; no runtime reads it, and the next attempt writes over one that was left behind.
const UNFINISHED: &str = ".lawflow-network.new";
/// Between looks where no change was told of.
const SLOW: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };
/// After a change: a program that takes back whatever is not its own must not make a busy loop of us both.
const PAUSE: Timespec = Timespec { tv_sec: 0, tv_nsec: 500_000_000 };
/// For the runtime to take notice that the plugin is not called any more, before the plugin goes.
const GRACE: Duration = Duration::from_secs(2);
const PERMISSIONS_OF_PROGRAMS: u32 = 0o755;
const PRIVATE: u32 = 0o600;

/// A node's folders, as this process sees them.
pub struct Node {
    /// Where the runtime finds plugins.
    pub programs: PathBuf,
    /// Where it finds network configurations.
    pub configurations: PathBuf,
    /// The plugin's entry there.
    pub entry: Value,
    /// Keep the plugin off the node instead.
    pub remove: bool,
}

impl Node {
    /// Goes on until it is told to end, which leaves everything as it is: an upgrade has no gap.
    ///
    /// # Errors
    /// A sentence, where this process cannot be made to listen to signals.
    pub fn run(&self) -> Result<(), String> {
        let ended = signals().map_err(|error| format!("cannot listen to signals: {error}"))?;
        let changed = self.watch();
        let mut told = None;
        loop {
            let done = self.reconcile();
            let changed_something = done == Ok(true);
            let state = done.map(drop);
            if told.as_ref() != Some(&state) {
                match &state {
                    Ok(()) => println!("the plugin is {}", if self.remove { "off this node" } else { "installed" }),
                    Err(reason) => eprintln!("{reason}"),
                }
                told = Some(state);
            }
            if changed_something && wait(&ended, None, &PAUSE) || wait(&ended, changed.as_ref(), &SLOW) {
                return Ok(());
            }
        }
    }

    /// Whether all is as it should be; changes nothing.
    ///
    /// # Errors
    /// A sentence that tells what is not.
    pub fn ready(&self) -> Result<(), String> {
        let files = self.files()?;
        let (changes, as_wanted) = if self.remove {
            (installation::remove(&files), !self.program().exists())
        } else {
            (installation::install(&files, &self.entry), self.is_current()?)
        };
        let changes = changes.map_err(|reason| self.in_configurations(&reason))?;
        if changes.is_empty() && as_wanted { Ok(()) } else { Err("there is something left to do".to_owned()) }
    }

    /// Whether it changed something.
    fn reconcile(&self) -> Result<bool, String> {
        if self.remove { self.uninstall() } else { self.install() }
    }

    /// The program first: a list must not name one that is not there.
    fn install(&self) -> Result<bool, String> {
        let is_current = self.is_current()?;
        if !is_current {
            let content = own_content()?;
            put(&self.programs, PLUGIN, &content, PERMISSIONS_OF_PROGRAMS)?;
        }
        let files = self.files()?;
        let changes = installation::install(&files, &self.entry).map_err(|reason| self.in_configurations(&reason))?;
        let changes_something = !is_current || !changes.is_empty();
        self.carry_out(changes, &files)?;
        Ok(changes_something)
    }

    fn uninstall(&self) -> Result<bool, String> {
        let files = self.files()?;
        let changes = installation::remove(&files).map_err(|reason| self.in_configurations(&reason))?;
        let changes_something = !changes.is_empty() || self.program().exists();
        self.carry_out(changes, &files)?;
        if self.program().exists() {
            std::thread::sleep(GRACE);
        }
        for left in [self.program(), self.programs.join(UNFINISHED), self.configurations.join(UNFINISHED)] {
            delete(&left)?;
        }
        Ok(changes_something)
    }

    fn program(&self) -> PathBuf {
        self.programs.join(PLUGIN)
    }

    fn is_current(&self) -> Result<bool, String> {
        let found = match fs::read(self.program()) {
            Ok(found) => found,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(told(&self.program(), "cannot be read", &error)),
        };
        Ok(mode(&self.program()) == Some(PERMISSIONS_OF_PROGRAMS) && found == own_content()?)
    }

    fn files(&self) -> Result<Files, String> {
        let unreadable = |error| told(&self.configurations, "cannot be read", &error);
        let mut files = Files::new();
        for found in fs::read_dir(&self.configurations).map_err(unreadable)? {
            let found = found.map_err(unreadable)?;
            let name = found.file_name().to_string_lossy().into_owned();
            if concerns(&name) && !found.path().is_dir() {
                match fs::read(found.path()) {
                    Ok(bytes) => drop(files.insert(name, String::from_utf8_lossy(&bytes).into_owned())),
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    Err(error) => return Err(told(&found.path(), "cannot be read", &error)),
                }
            }
        }
        Ok(files)
    }

    fn carry_out(&self, changes: Vec<Change>, seen: &Files) -> Result<(), String> {
        for change in changes {
            match change {
                Change::Write(name, text) => {
                    let path = self.configurations.join(&name);
                    // A list that stands for a single configuration is as secret as that is.
                    let mode = mode(&path).or_else(|| mode(&path.with_extension(""))).unwrap_or(PRIVATE);
                    // Whoever writes this file may have done so since it was read; then the next look sees it.
                    if seen.get(&name).is_some_and(|then| fs::read(&path).is_ok_and(|now| now != then.as_bytes())) {
                        return Err(format!("{} is being written by another program", path.display()));
                    }
                    put(&self.configurations, &name, text.as_bytes(), mode)?;
                }
                Change::Move(from, to) => {
                    let from = self.configurations.join(from);
                    fs::rename(&from, self.configurations.join(to))
                        .map_err(|error| told(&from, "cannot be renamed", &error))?;
                }
                Change::Delete(name) => delete(&self.configurations.join(name))?,
            }
        }
        Ok(())
    }

    fn in_configurations(&self, reason: &str) -> String {
        format!("in {}: {reason}", self.configurations.display())
    }

    /// None where the kernel has no watch left: then the slow look alone finds changes.
    fn watch(&self) -> Option<OwnedFd> {
        let watching = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok()?;
        let of_interest = WatchFlags::CLOSE_WRITE | WatchFlags::MOVE | WatchFlags::DELETE | WatchFlags::ATTRIB;
        for folder in [&self.programs, &self.configurations] {
            if let Err(error) = add_watch(&watching, folder, of_interest) {
                eprintln!("{}", told(folder, "cannot be watched, and is looked at every ten seconds", &error.into()));
            }
        }
        Some(watching)
    }
}

fn mode(path: &Path) -> Option<u32> {
    fs::metadata(path).ok().map(|found| found.permissions().mode() & 0o777)
}

fn own_content() -> Result<Vec<u8>, String> {
    let own = Path::new("/proc/self/exe");
    fs::read(own).map_err(|error| told(own, "cannot be read", &error))
}

/// Writes a new file and moves it into place, so that nobody sees half of it and who runs the old one keeps it.
fn put(folder: &Path, name: &str, content: &[u8], mode: u32) -> Result<(), String> {
    let unfinished = folder.join(UNFINISHED);
    let write = || -> io::Result<()> {
        let mut file = File::options().write(true).create(true).truncate(true).mode(mode).open(&unfinished)?;
        file.write_all(content)?;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.sync_all()?;
        drop(file);
        fs::rename(&unfinished, folder.join(name))?;
        File::open(folder)?.sync_all()
    };
    write().map_err(|error| told(&folder.join(name), "cannot be written", &error))
}

fn delete(path: &Path) -> Result<(), String> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(told(path, "cannot be deleted", &error)),
        _ => Ok(()),
    }
}

fn told(path: &Path, what: &str, error: &io::Error) -> String {
    let advice = match error.kind() {
        ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => {
            "; the node's folder has to be mounted writable (values network.cniBinDir and network.cniConfDir)"
        }
        ErrorKind::NotFound => "; is that where this node's runtime has it (network.cniBinDir, network.cniConfDir)?",
        _ => "",
    };
    format!("{} {what}: {error}{advice}", path.display())
}

/// A stream that can be read once a signal asks this process to end.
fn signals() -> io::Result<UnixStream> {
    let (ended, writer) = UnixStream::pair()?;
    pipe::register(SIGINT, writer.try_clone()?)?;
    pipe::register(SIGTERM, writer)?;
    Ok(ended)
}

/// Waits for a change, or a while; true where this process shall end.
fn wait(ended: &UnixStream, changed: Option<&OwnedFd>, at_most: &Timespec) -> bool {
    let mut waited = vec![PollFd::new(ended, PollFlags::IN)];
    waited.extend(changed.map(|changed| PollFd::new(changed, PollFlags::IN)));
    // An interruption is a look too early, which does no harm.
    let _ = poll(&mut waited, Some(at_most));
    let shall_end = waited.first().is_some_and(|each| each.revents().contains(PollFlags::IN));
    if let Some(changed) = changed {
        let mut events = [0; 4096];
        while rustix::io::read(changed.as_fd(), &mut events).is_ok_and(|length| length > 0) {}
    }
    shall_end
}
