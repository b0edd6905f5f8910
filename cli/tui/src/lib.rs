//! `odd watch`: a terminal dashboard over the read-model and the gateway.
//!
//! [`run`] is the whole: it takes the terminal, runs one loop over input, what the system tells and a clock, and gives the
//! terminal back however it ends. The parts: `world` is what is known of the system, `screens` show it (one file each) and turn
//! keys into `effect`s, `runner` executes those in tasks of their own and never waits for the network, `app` holds the screens
//! together. Nothing but `runner` and `terminal` does input or output, so that every screen can be drawn into a buffer by a test.

mod app;
mod ascii;
#[cfg(any(test, feature = "bench"))]
mod bed;
#[cfg(feature = "bench")]
#[doc(hidden)]
pub mod bench;
mod child;
mod effect;
mod feeds;
mod filter;
mod fit;
mod frame;
mod keyboard;
mod options;
mod pace;
mod pager;
#[cfg(test)]
mod picture;
#[cfg(test)]
mod replay;
mod runner;
mod screens;
mod tasks;
mod terminal;
mod theme;
mod world;

pub use options::{Addresses, Depth, Look, Mode, Options, ThemeName};
pub use runner::{WatchError, run};
