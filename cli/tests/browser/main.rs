//! The page of the web role in a real browser, over instances of the built binary. A test binary of its own: browsers are heavy,
//! so that these tests do not run beside the others.
#![cfg(unix)]

mod bed;
mod drawing;
mod files;
mod hostile;
mod jobs;
mod keyboard;
mod launcher;
mod letters;
mod origins;
mod outage;
mod pages;
mod terminal;
mod token;
