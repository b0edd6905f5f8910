//! The keeper: a process that removes the stacks of this one when it has ended, however that came about. It waits for
//! the end of its standard input, which the system closes with this process; it heads a process group of its own, so
//! that a Ctrl-C does not reach it.
//!
//! A keeper that was killed as well leaves its folder behind: the next run's keeper removes the stacks of folders whose
//! process is no longer there.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;

use odd_engine::platform;

use super::ODD;

/// What the folders of all runs begin with.
const PREFIX: &str = "odd-docker-test-";

/// Waits for the end of its input, then removes every stack under the folders it is given.
const SCRIPT: &str = r#"
trap '' HUP INT TERM
cat > /dev/null
odd=$1
shift
for folder in "$@"; do
    for home in "$folder"/*/; do
        export ODD_HOME="$home"
        for instance in "$home"instances/*/; do
            [ -d "$instance" ] || continue
            timeout 120 "$odd" down --instance "$(basename "$instance")" --volumes --yes --timeout 1 || true
        done
    done
    rm -rf "$folder"
done
"#;

struct Keeper {
    folder: PathBuf,
    /// Holds the other end of the keeper's standard input for the life of this process.
    _process: Child,
}

/// The folder of this process, where stacks have their homes. The keeper is started with it.
pub(super) fn home() -> &'static Path {
    static KEEPER: LazyLock<Keeper> = LazyLock::new(start);
    &KEEPER.folder
}

fn start() -> Keeper {
    let left_over = left_over();
    let folder = std::env::temp_dir().join(format!("{PREFIX}{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut command = Command::new("sh");
    command
        .args(["-c", SCRIPT, "keeper", ODD])
        .arg(&folder)
        .args(left_over)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    Keeper {
        folder,
        _process: command.spawn().expect("a shell"),
    }
}

/// Folders of processes that are no longer there.
fn left_over() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(std::env::temp_dir()).unwrap();
    let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
    let process = |path: &Path| {
        path.file_name()?
            .to_str()?
            .strip_prefix(PREFIX)?
            .parse::<u32>()
            .ok()
    };
    paths
        .filter(|path| process(path).is_some_and(|pid| platform::start_time(pid).is_none()))
        .collect()
}
