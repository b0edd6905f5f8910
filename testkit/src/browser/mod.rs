//! A headless Chromium in the hands of a test: what a person would see of a page, and the keys and clicks of a person.
//!
//! Chromium is driven by WebDriver (<https://www.w3.org/TR/webdriver2/>) over its chromedriver: a dozen requests with JSON, for
//! which the HTTP client at hand will do. Each browser has a driver, a profile and a folder of its own, so that one that hangs
//! concerns nobody else, and nothing of it stays. At most two are open at once, in a test process.
//!
//! Whatever a test looks at, these hold for the whole of it, and are asserted in the end: no error and no breach of the page's
//! content security policy stands in the console, and no request went to another origin than those that the test opened.

mod console;
pub mod keys;
mod page;
mod picture;
mod process;
mod programs;
mod protocol;

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::runtime;
use console::Permitted;
use process::Driver;
use protocol::{Refusal, Session};

/// Longest wait for a state of a page. Far longer than any takes on a busy machine.
pub const LONG: Duration = Duration::from_secs(90);
/// Browsers that are open at once.
const MOST: usize = 2;
/// How often a browser is started where it does not come up: on a machine under load it may give up by itself.
const STARTS: u32 = 3;
/// Time for a picture of what a failing test saw last.
const LAST_LOOK: Duration = Duration::from_secs(20);
/// Width and height of the page, in pixels, at first.
const SIZE: (u32, u32) = (1280, 800);

static PLACES: Semaphore = Semaphore::const_new(MOST);

/// A browser with one empty tab, 1280 by 800 pixels, in its light theme and without motion. When dropped, it ends with everything
/// that it started; if the test failed, a picture of it is kept, and its path and the console are printed.
pub struct Browser {
    name: String,
    session: Session,
    driver: Driver,
    permitted: Mutex<Permitted>,
    _place: SemaphorePermit<'static>,
}

impl std::fmt::Debug for Browser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Browser")
            .field("name", &self.name)
            .field("folder", &self.driver.folder())
            .finish_non_exhaustive()
    }
}

/// Does `work` with a browser, and asserts in the end what holds for every page. `name` is that of the test: a picture of its
/// failure is kept under it.
///
/// # Panics
/// Where no browser can be started, the console has an error that was not expected, or a request went elsewhere.
pub async fn drive<T>(name: &str, work: impl AsyncFnOnce(&Browser) -> T) -> T {
    let browser = Browser::start(name).await;
    let done = work(&browser).await;
    browser.assert_clean().await;
    done
}

impl Browser {
    /// Starts one, as soon as there is a place for it.
    ///
    /// # Panics
    /// Where there is no Chromium with its driver, or it does not come up.
    pub async fn start(name: &str) -> Self {
        let place = PLACES.acquire().await.expect("the places are never closed");
        let mut attempt = 0;
        let (driver, session) = loop {
            attempt += 1;
            match begin().await {
                Ok(begun) => break begun,
                Err(error) if attempt == STARTS => panic!("no browser can be started: {error}"),
                Err(_) => {}
            }
        };
        let browser = Self {
            name: name.to_owned(),
            session,
            driver,
            permitted: Mutex::default(),
            _place: place,
        };
        browser.set_size(SIZE).await;
        browser.set_scheme("light").await;
        browser
    }

    /// Where its profile and everything else of it is.
    pub fn folder(&self) -> PathBuf {
        self.driver.folder().to_owned()
    }

    /// Makes the page so many pixels wide and high.
    ///
    /// # Panics
    /// Where the browser refuses.
    pub async fn set_size(&self, (width, height): (u32, u32)) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", size).await;
    }

    /// Prefers `light` or `dark`, as the settings of a system do; and no motion, so that pictures are of a page at rest.
    ///
    /// # Panics
    /// Where the browser refuses.
    pub async fn set_scheme(&self, scheme: &str) {
        let features = json!({ "features": [
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]});
        self.devtools("Emulation.setEmulatedMedia", features).await;
    }

    /// A command of the browser's developer tools, for what WebDriver has no request for.
    async fn devtools(&self, command: &str, parameters: Value) {
        let body = json!({ "cmd": command, "params": parameters });
        self.told(command, self.session.post("goog/cdp/execute", body).await);
    }

    /// The answer.
    #[track_caller]
    fn told<T>(&self, what: &str, answer: Result<T, Refusal>) -> T {
        answer.unwrap_or_else(|refusal| panic!("{}: {what}: {refusal}", self.name))
    }

    fn permitted(&self) -> MutexGuard<'_, Permitted> {
        self.permitted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what the browser shows now under the name of the test.
    fn keep_last_look(&self) {
        let (session, name) = (self.session.clone(), self.name.clone());
        let looked = runtime::block(LAST_LOOK, async move {
            let kept = picture::keep(&session, &name).await;
            (kept, console::all(&session).await)
        });
        let Some((kept, console)) = looked else {
            eprintln!("--- {}: the browser does not answer any more", self.name);
            return;
        };
        match kept {
            Ok(path) => eprintln!(
                "--- {}: what the browser showed last: {}",
                self.name,
                path.display()
            ),
            Err(refusal) => eprintln!("--- {}: there is no picture: {refusal}", self.name),
        }
        for line in console.unwrap_or_default() {
            eprintln!("console: {line}");
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.keep_last_look();
        }
        self.driver.end();
    }
}

async fn begin() -> Result<(Driver, Session), String> {
    let programs = programs::found().map_err(str::to_owned)?;
    let driver = Driver::start(programs).await?;
    let capabilities = process::capabilities(programs, driver.folder());
    match Session::open(driver.port(), capabilities).await {
        Ok(session) => Ok((driver, session)),
        Err(refusal) => Err(format!("{refusal}\n{}", driver.log())),
    }
}

#[cfg(test)]
mod tests;
