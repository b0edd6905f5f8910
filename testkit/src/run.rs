//! A test run: the processes that share servers. `cargo test` runs one test binary after another, and several may run
//! at once; they meet in a folder of the user and the checkout, by locks that the system takes back from whoever dies:
//!
//! - `run.lock`: held for a moment by whoever joins the run or ends it;
//! - `users`: held shared by every process that uses servers, for its life;
//! - `keeper`: held by the process that removes the containers after the last user (see [`crate::keeper`]);
//! - `SERVICE.lock`: held while a server is started.
//!
//! Which containers there are, the engine knows: they carry labels with the folder and the run.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

use crate::docker::{self, Result, Trouble};
use crate::{images, keeper};

/// Environment variable that puts the folder elsewhere.
pub(crate) const FOLDER: &str = "ODD_TEST_RUN_FOLDER";
/// Label with the folder of the run that a container belongs to.
pub(crate) const LABEL_FOLDER: &str = "odd.testkit.folder";
/// Label with the machine that the folder is on.
pub(crate) const LABEL_HOST: &str = "odd.testkit.host";
/// Label with the id of the run.
pub(crate) const LABEL_RUN: &str = "odd.testkit.run";

const RUN_FILE: &str = "run.json";
const RUN_LOCK: &str = "run.lock";
const USERS: &str = "users";
/// Locked by the keeper, with its process id.
pub(crate) const KEEPER: &str = "keeper";

/// The run that this process takes part in.
#[derive(Debug)]
pub(crate) struct Run {
    /// Part of the names of its containers.
    pub(crate) id: String,
    /// Password of all its servers.
    pub(crate) password: String,
    /// Where its processes meet.
    pub(crate) folder: Folder,
    /// The lock that says that this process uses servers.
    _user: File,
}

impl Run {
    /// Labels of its containers.
    pub(crate) fn labels(&self) -> Vec<(String, String)> {
        vec![
            (LABEL_FOLDER.to_owned(), self.folder.label()),
            (LABEL_HOST.to_owned(), host()),
            (LABEL_RUN.to_owned(), self.id.clone()),
        ]
    }
}

/// The run of this process, which is joined by the first call.
pub(crate) async fn current() -> Result<&'static Run> {
    static RUN: OnceCell<Run> = OnceCell::const_new();
    RUN.get_or_try_init(join).await
}

async fn join() -> Result<Run> {
    // Says early, and without anything left behind, that there is no engine.
    docker::client().await?;
    let folder = Folder::of_this_checkout()?;
    let lock = folder.clone().lock().await?;
    let (users, keeper) = (folder.open(USERS)?, folder.open(KEEPER)?);
    let alone = try_lock(&users)?;
    let kept = !try_lock(&keeper)?;
    if alone && !kept {
        folder.forget()?;
        sweep(&folder).await?;
    }
    let (id, password) = folder.read_or_begin()?;
    if !kept {
        // The keeper takes the lock over with the file, so that no moment passes without.
        keeper::start(&folder, &id, keeper)?;
    }
    let failed = |error| folder.trouble(&error);
    // Whoever wants the lock of the users exclusively takes that of the run first, which is held here.
    users.unlock().map_err(failed)?;
    users.lock_shared().map_err(failed)?;
    users.set_modified(SystemTime::now()).map_err(failed)?;
    drop(lock);
    Ok(Run {
        id,
        password,
        folder,
        _user: users,
    })
}

/// Removes what dead runs left: those of this folder, which is known to be dead, and of other folders on this machine
/// that nobody uses.
async fn sweep(own: &Folder) -> Result<()> {
    let containers = docker::labelled(vec![format!("{LABEL_HOST}={}", host())]).await?;
    for container in containers {
        let of = container.labels.unwrap_or_default().remove(LABEL_FOLDER);
        let (Some(id), Some(of)) = (container.id, of) else {
            continue;
        };
        let dead = of == own.label() || Folder(PathBuf::from(of)).is_dead();
        if dead {
            docker::remove(&id).await?;
        }
    }
    Ok(())
}

/// Where the processes of a run meet.
#[derive(Clone, Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    fn of_this_checkout() -> Result<Self> {
        let folder = match std::env::var_os(FOLDER) {
            Some(folder) => PathBuf::from(folder),
            None => {
                let checkout = images::repository().to_string_lossy().into_owned();
                let hash = Sha256::digest(checkout.as_bytes());
                let tag: String = hash.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
                std::env::temp_dir().join(format!("odd-testkit-{}-{tag}", user()))
            }
        };
        Ok(Self(folder))
    }

    pub(crate) fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Value of the label of its containers.
    pub(crate) fn label(&self) -> String {
        self.0.to_string_lossy().into_owned()
    }

    /// The lock of the run. The folder is made where there is none.
    pub(crate) async fn lock(self) -> Result<File> {
        let folder = self.clone();
        let locked = tokio::task::spawn_blocking(move || folder.lock_now()).await;
        locked.map_err(|error| Trouble::of("waiting for a lock failed", &error))?
    }

    /// The same, blocking the thread.
    pub(crate) fn lock_now(&self) -> Result<File> {
        loop {
            self.create()?;
            let file = match self.open(RUN_LOCK) {
                Ok(file) => file,
                // Removed since it was made.
                Err(_) if !self.0.exists() => continue,
                Err(error) => return Err(error),
            };
            file.lock().map_err(|error| self.trouble(&error))?;
            // The last user's keeper removes the folder: a lock on a file that is no longer there excludes nobody.
            if self.is_current(&file) {
                return Ok(file);
            }
        }
    }

    /// A lock on the start of one server.
    pub(crate) async fn lock_server(&self, name: &str) -> Result<File> {
        let file = self.open(&format!("{name}.lock"))?;
        let locked = tokio::task::spawn_blocking(move || file.lock().map(|()| file)).await;
        let locked = locked.map_err(|error| Trouble::of("waiting for a lock failed", &error))?;
        locked.map_err(|error| self.trouble(&error))
    }

    /// Whether no process uses servers of this folder, and nobody joined lately. To be asked under the run's lock.
    pub(crate) fn is_unused(&self) -> Result<Option<SystemTime>> {
        let users = self.open(USERS)?;
        if !try_lock(&users)? {
            return Ok(None);
        }
        let joined = users.metadata().and_then(|metadata| metadata.modified());
        Ok(Some(joined.map_err(|error| self.trouble(&error))?))
    }

    /// Removes the folder. To be called under the run's lock.
    pub(crate) fn remove(&self) -> Result<()> {
        std::fs::remove_dir_all(&self.0).map_err(|error| self.trouble(&error))
    }

    /// A file of the folder, made where there is none.
    pub(crate) fn open(&self, name: &str) -> Result<File> {
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(self.0.join(name));
        file.map_err(|error| self.trouble(&error))
    }

    fn create(&self) -> Result<()> {
        #[cfg_attr(not(unix), expect(unused_mut, reason = "there are no modes to set"))]
        let mut builder = DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        match builder.create(&self.0) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => self.check_owner(),
            Err(error) => Err(self.trouble(&error)),
        }
    }

    /// Somebody else's folder under the same name could hand us a password of theirs, or read ours.
    #[cfg(unix)]
    fn check_owner(&self) -> Result<()> {
        use std::os::unix::fs::MetadataExt;
        match std::fs::symlink_metadata(&self.0) {
            Ok(folder) if folder.is_dir() && folder.uid() == nix::unistd::geteuid().as_raw() => Ok(()),
            Ok(_) => Err(Trouble::new(format!(
                "{} is not a folder of this user; remove it, or set {FOLDER} to another",
                self.0.display()
            ))),
            // Removed since.
            Err(_) => Ok(()),
        }
    }

    #[cfg(not(unix))]
    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "temporary folders are the user's own"
    )]
    fn check_owner(&self) -> Result<()> {
        Ok(())
    }

    #[cfg(unix)]
    fn is_current(&self, file: &File) -> bool {
        use std::os::unix::fs::MetadataExt;
        let (held, named) = (file.metadata(), std::fs::metadata(self.0.join(RUN_LOCK)));
        matches!((held, named), (Ok(held), Ok(named)) if (held.dev(), held.ino()) == (named.dev(), named.ino()))
    }

    /// An open file keeps its name here.
    #[cfg(not(unix))]
    fn is_current(&self, _: &File) -> bool {
        self.0.join(RUN_LOCK).exists()
    }

    /// Whether neither a process nor a keeper is there. A folder that cannot be looked into counts as alive.
    fn is_dead(&self) -> bool {
        if !self.0.exists() {
            return true;
        }
        let free = |name: &str| match OpenOptions::new().read(true).write(true).open(self.0.join(name)) {
            Ok(file) => try_lock(&file).is_ok_and(|locked| locked).then_some(Some(file)),
            Err(error) if error.kind() == ErrorKind::NotFound => Some(None),
            Err(_) => None,
        };
        // The first is held while the others are looked at, so that nobody joins meanwhile.
        let run = free(RUN_LOCK);
        run.is_some() && free(USERS).is_some() && free(KEEPER).is_some()
    }

    fn read_or_begin(&self) -> Result<(String, String)> {
        let path = self.0.join(RUN_FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let (id, password) = (rand::random::<u32>(), rand::random::<u128>());
                let text = format!("{{\"id\":\"{id:08x}\",\"password\":\"{password:032x}\"}}\n");
                self.write_whole(RUN_FILE, &text)?;
                text
            }
            Err(error) => return Err(self.trouble(&error)),
        };
        let value: serde_json::Value = serde_json::from_str(&text).map_err(|error| self.trouble(&error))?;
        match (value["id"].as_str(), value["password"].as_str()) {
            (Some(id), Some(password)) => Ok((id.to_owned(), password.to_owned())),
            _ => Err(Trouble::new(format!("{} is damaged; remove it", path.display()))),
        }
    }

    /// Whoever dies meanwhile leaves no half of a file.
    fn write_whole(&self, name: &str, text: &str) -> Result<()> {
        let new = format!("{name}.new");
        let write = || -> std::io::Result<()> {
            let _ = std::fs::remove_file(self.0.join(&new));
            let mut file = self.open(&new).map_err(std::io::Error::other)?;
            file.write_all(text.as_bytes())?;
            std::fs::rename(self.0.join(&new), self.0.join(name))
        };
        write().map_err(|error| self.trouble(&error))
    }

    /// The last run is over.
    fn forget(&self) -> Result<()> {
        match std::fs::remove_file(self.0.join(RUN_FILE)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(self.trouble(&error)),
            _ => Ok(()),
        }
    }

    fn trouble(&self, error: &dyn std::error::Error) -> Trouble {
        let what = format!("test processes cannot meet in {}", self.0.display());
        Trouble::of(&what, error)
    }
}

/// Takes a lock where it is free.
fn try_lock(file: &File) -> Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(Trouble::of("a file cannot be locked", &error)),
    }
}

#[cfg(unix)]
fn user() -> String {
    nix::unistd::geteuid().to_string()
}

#[cfg(not(unix))]
fn user() -> String {
    std::env::var("USERNAME").unwrap_or_default()
}

/// Name of this machine, or of the container that the tests run in: folders of others are not to be judged by ours.
fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "local".to_owned(),
        name => name.to_owned(),
    }
}
