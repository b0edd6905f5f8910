//! The label `type`, bounded.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};

use odd_contracts::names::metric::{MAX_TYPES, OTHER_TYPE};

/// Bounds the values of a label that clients choose: the first so many are taken as they are, all later ones
/// read `other`. Clones share what they have seen; a role should use one for all its metrics.
#[derive(Clone, Debug)]
pub struct TypeLabel(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limit: usize,
    seen: RwLock<HashSet<Box<str>>>,
}

impl Default for TypeLabel {
    /// Bounded to [`MAX_TYPES`].
    fn default() -> Self {
        Self::new(MAX_TYPES)
    }
}

impl TypeLabel {
    /// At most `limit` values besides `other`.
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(Inner {
            limit,
            seen: RwLock::default(),
        }))
    }

    /// The value that the label has for this type.
    pub fn of<'a>(&self, job_type: &'a str) -> &'a str {
        let seen = self.0.seen.read().unwrap_or_else(PoisonError::into_inner);
        if seen.contains(job_type) {
            return job_type;
        }
        let full = seen.len() >= self.0.limit;
        drop(seen);
        if full || !self.take(job_type) {
            OTHER_TYPE
        } else {
            job_type
        }
    }

    fn take(&self, job_type: &str) -> bool {
        let mut seen = self.0.seen.write().unwrap_or_else(PoisonError::into_inner);
        seen.contains(job_type) || (seen.len() < self.0.limit && seen.insert(job_type.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_thousand_types_are_a_hundred_and_other() {
        let label = TypeLabel::default();
        let values = std::sync::Mutex::new(HashSet::new());
        std::thread::scope(|scope| {
            for start in 0..4 {
                let (label, values) = (&label, &values);
                scope.spawn(move || {
                    for n in (start..10_000).step_by(4) {
                        let job_type = format!("type-{n}");
                        values.lock().unwrap().insert(label.of(&job_type).to_owned());
                    }
                });
            }
        });
        let values = values.into_inner().unwrap();
        assert_eq!(values.len(), MAX_TYPES + 1);
        assert!(values.contains(OTHER_TYPE));
        let taken = values.iter().find(|value| *value != OTHER_TYPE).unwrap();
        assert_eq!(label.of(taken), taken, "what was taken stays taken");
    }
}
