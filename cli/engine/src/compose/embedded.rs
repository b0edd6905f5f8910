//! The files.

use super::{ComposeError, Source};

pub(super) fn files(source: &Source) -> Result<(), ComposeError> {
    match source {
        Source::Embedded => Ok(()),
        Source::Directory(path) => {
            std::fs::metadata(path)
                .map(|_| ())
                .map_err(|source| ComposeError::Unreadable {
                    file: path.display().to_string(),
                    source,
                })
        }
    }
}
