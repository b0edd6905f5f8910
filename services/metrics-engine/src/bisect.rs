//! Finding the items that a store refuses among those it takes.

use std::ops::Range;

use futures::future::BoxFuture;
use odd_store::StoreError;

/// What became of some items.
pub(crate) struct Written<R> {
    /// The stretches that were written, in order, with the store's answers.
    pub(crate) taken: Vec<(Range<usize>, R)>,
    /// The items that the store refuses, with its reasons.
    pub(crate) refused: Vec<(usize, StoreError)>,
}

/// Writes items in stretches of at most `limit`; a stretch that is refused is halved until the culprits stand alone.
///
/// # Errors
/// The first error that is no refusal. Some items may have been written.
pub(crate) async fn write<T, R>(
    items: &[T],
    limit: usize,
    write: impl for<'a> Fn(&'a [T]) -> BoxFuture<'a, Result<R, StoreError>>,
) -> Result<Written<R>, StoreError> {
    let mut written = Written {
        taken: Vec::new(),
        refused: Vec::new(),
    };
    // The last is the next one, so that items are written in their order.
    let mut waiting: Vec<_> = (0..items.len())
        .step_by(limit)
        .map(|start| start..items.len().min(start + limit))
        .rev()
        .collect();
    while let Some(stretch) = waiting.pop() {
        match write(&items[stretch.clone()]).await {
            Ok(answer) => written.taken.push((stretch, answer)),
            Err(error @ StoreError::Refused(_)) if stretch.len() == 1 => {
                written.refused.push((stretch.start, error));
            }
            Err(StoreError::Refused(_)) => {
                let middle = stretch.start + stretch.len() / 2;
                waiting.push(middle..stretch.end);
                waiting.push(stretch.start..middle);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    async fn run(items: Vec<i32>, limit: usize) -> (Result<Written<usize>, StoreError>, Vec<i32>) {
        let store = Arc::new(Mutex::new(Vec::new()));
        let result = write(&items, limit, |stretch: &[i32]| {
            let store = Arc::clone(&store);
            Box::pin(async move {
                assert!(stretch.len() <= limit);
                if stretch.contains(&-2) {
                    return Err(StoreError::Unavailable("away".into()));
                }
                if stretch.contains(&-1) {
                    return Err(StoreError::Refused("negative".into()));
                }
                store.lock().unwrap().extend_from_slice(stretch);
                Ok(stretch.len())
            })
        })
        .await;
        let store = store.lock().unwrap().clone();
        (result, store)
    }

    #[tokio::test]
    async fn only_the_culprits_are_refused_and_the_order_stays() {
        let mut items: Vec<i32> = (0..100).collect();
        for culprit in [0, 17, 18, 99] {
            items[culprit] = -1;
        }
        for limit in [1, 7, 64, 1_000] {
            let (written, store) = run(items.clone(), limit).await;
            let written = written.unwrap();
            let refused: Vec<_> = written.refused.iter().map(|(index, _)| *index).collect();
            assert_eq!(refused, [0, 17, 18, 99]);
            assert_eq!(
                store,
                items.iter().copied().filter(|n| *n >= 0).collect::<Vec<_>>()
            );
            let answers: usize = written.taken.iter().map(|(_, count)| count).sum();
            assert_eq!(answers, 96);
            assert!(
                written
                    .taken
                    .iter()
                    .all(|(stretch, count)| stretch.len() == *count)
            );
        }
    }

    #[tokio::test]
    async fn an_outage_ends_the_writing_and_blames_nobody() {
        let (written, store) = run(vec![1, 2, -2, 3], 2).await;
        assert!(written.err().unwrap().is_transient());
        assert_eq!(store, [1, 2]);
        let (written, _) = run(Vec::new(), 2).await;
        assert!(written.unwrap().taken.is_empty());
    }
}
