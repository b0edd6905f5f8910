//! Characters that stand for keys without one (WebDriver, 17.4.2, "normalised key value").

/// Releases the modifiers that are held.
pub const RELEASE: &str = "\u{e000}";
/// Backspace.
pub const BACKSPACE: &str = "\u{e003}";
/// Tab.
pub const TAB: &str = "\u{e004}";
/// Return.
pub const ENTER: &str = "\u{e007}";
/// Shift, held until [`RELEASE`].
pub const SHIFT: &str = "\u{e008}";
/// Control, held until [`RELEASE`].
pub const CONTROL: &str = "\u{e009}";
/// Escape.
pub const ESCAPE: &str = "\u{e00c}";
/// Space.
pub const SPACE: &str = " ";
/// Arrow up.
pub const UP: &str = "\u{e013}";
/// Arrow down.
pub const DOWN: &str = "\u{e015}";
/// F6.
pub const F6: &str = "\u{e036}";
