//! What a store may fail with.

/// Why a store did not do what it was asked. Nothing was committed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store does not answer, or cannot write: try again when it is back.
    #[error("the store is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The store refuses the data itself: trying again does not help.
    #[error("the store refuses the data")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// What is stored cannot be read back.
    #[error("stored data is damaged: {0}")]
    Damaged(String),
}

impl StoreError {
    /// Whether the same request may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}
