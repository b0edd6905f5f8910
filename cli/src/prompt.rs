//! What prompts share.

use dialoguer::console::Term;

/// Shows the cursor again when dropped: a prompt that Ctrl-C interrupts leaves it hidden.
#[derive(Debug)]
pub struct CursorGuard;

impl Drop for CursorGuard {
    fn drop(&mut self) {
        // Nothing can be done about a terminal that is gone.
        let _ = Term::stderr().show_cursor();
    }
}
