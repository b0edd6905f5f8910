//! Where Chromium and its driver are.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const BROWSERS: [&str; 5] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
];
/// Places beside the search path.
const ELSEWHERE: [&str; 3] = [
    "/Applications/Google Chrome.app/Contents/MacOS",
    "/usr/lib/chromium",
    "/usr/lib/chromium-browser",
];
/// Environment variable with the folder of the driver, on machines of GitHub.
const DRIVER_FOLDER: &str = "CHROMEWEBDRIVER";
const MEND: &str = "run: scripts/setup.sh --tests";

/// A browser and a driver of the same version.
#[derive(Debug)]
pub(super) struct Programs {
    pub(super) browser: PathBuf,
    pub(super) driver: PathBuf,
}

/// Those of this machine, which are looked for once.
pub(super) fn found() -> Result<&'static Programs, &'static str> {
    static FOUND: OnceLock<Result<Programs, String>> = OnceLock::new();
    FOUND.get_or_init(find).as_ref().map_err(String::as_str)
}

fn find() -> Result<Programs, String> {
    let browsers = BROWSERS.into_iter().chain(["Google Chrome"]);
    let browsers: Vec<_> = browsers.flat_map(named).collect();
    let drivers = named("chromedriver");
    for (browser, version) in &browsers {
        for (driver, other) in &drivers {
            if version == other {
                return Ok(Programs {
                    browser: browser.clone(),
                    driver: driver.clone(),
                });
            }
        }
    }
    Err(format!(
        "there is no Chromium or Chrome with a chromedriver of the same version (browsers: {browsers:?}, drivers: {drivers:?}); {MEND}"
    ))
}

/// Programs of this name, with the first part of their versions.
fn named(name: &str) -> Vec<(PathBuf, u32)> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path)
        .chain(std::env::var_os(DRIVER_FOLDER).map(PathBuf::from))
        .chain(ELSEWHERE.iter().map(PathBuf::from));
    folders
        .map(|folder| folder.join(name))
        .filter(|program| program.is_file() && !is_snap(program))
        .filter_map(|program| Some((program.clone(), version(&program)?)))
        .collect()
}

/// A snap sees neither the folders nor the processes of a test.
fn is_snap(program: &Path) -> bool {
    program.starts_with("/snap")
        || program
            .canonicalize()
            .is_ok_and(|program| program.ends_with("bin/snap"))
}

fn version(program: &Path) -> Option<u32> {
    let said = Command::new(program).arg("--version").output().ok()?;
    read_version(&String::from_utf8_lossy(&said.stdout))
}

/// `156` of `Chromium 156.0.8078.79 built on Debian`.
fn read_version(said: &str) -> Option<u32> {
    let number = said
        .split_whitespace()
        .find(|word| word.starts_with(|first: char| first.is_ascii_digit()))?;
    number.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_programs_say_them() {
        for said in [
            "Chromium 156.0.8078.79 built on Debian GNU/Linux 12 (bookworm)\n",
            "ChromeDriver 156.0.8078.79 (a21ce95c24ce-refs/branch-heads/8078@{#1704})\n",
            "Google Chrome 156.0.8078.80 \n",
        ] {
            assert_eq!(read_version(said), Some(156), "{said}");
        }
        // What Ubuntu has in place of a browser.
        assert_eq!(
            read_version("Command '/usr/bin/chromium-browser' requires the snap to be installed"),
            None
        );
    }
}
