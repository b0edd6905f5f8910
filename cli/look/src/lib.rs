//! How figures, states and the life of a job are written in a terminal: one language for the lines that commands print and
//! for the screens of `odd watch`. No input or output.

pub mod duration;
pub mod format;
pub mod ident;
pub mod sign;
pub mod text;
pub mod waterfall;
