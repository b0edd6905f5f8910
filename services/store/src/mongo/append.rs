//! Recording.

use std::collections::HashSet;

use mongodb::bson::DateTime;
use mongodb::error::{Error, ErrorKind, InsertManyError};
use tokio::time::timeout;

use super::document::{self, Identity, Raw};
use super::position::Entry;
use super::{Inner, failure};
use crate::{LoggedEvent, NewEvents, StoreError};

/// Longest envelope. MongoDB takes documents of 16 MiB.
const LONGEST_ENVELOPE: usize = 15 << 20;

impl Inner {
    pub(super) async fn append(&self, events: &[LoggedEvent]) -> Result<NewEvents, StoreError> {
        let events = distinct(events);
        if events.is_empty() {
            return Ok(NewEvents::new());
        }
        // Before anything is written, so that one that is refused leaves nothing behind.
        refuse_long(&events)?;
        self.indexes.look_after(self.options.operation_timeout).await;
        let entry = Entry::new();
        let reserved = match self.within(self.positions.reserve(&entry, events.len())).await {
            Ok(reserved) => reserved,
            Err(error) => {
                // Nothing will be inserted under it, should it be there.
                self.positions.leave(entry);
                return Err(error);
            }
        };
        if reserved.begun {
            self.indexes.forget();
            self.indexes.look_after(self.options.operation_timeout).await;
        }
        let insert = self.insert(&events, reserved.first);
        let Ok(inserted) = timeout(self.options.operation_timeout, insert).await else {
            // The server may still do it: the entry stays, and readers wait until it surely will not.
            return Err(failure::timed_out(self.options.operation_timeout));
        };
        if inserted.as_ref().err().is_none_or(failure::is_settled) {
            self.release(entry).await;
        }
        let known = inserted.map_or_else(already_there, |()| Ok(HashSet::new()))?;
        Ok(count_types(&events, &known))
    }

    async fn insert(&self, events: &[(&LoggedEvent, Identity)], first: i64) -> mongodb::error::Result<()> {
        let now = DateTime::now();
        let documents: Vec<Raw> = events
            .iter()
            .zip(first..)
            .map(|((event, identity), position)| document::compose(event, *identity, position, now))
            .collect();
        self.events.insert_many(documents).ordered(false).await.map(drop)
    }

    async fn release(&self, entry: Entry) {
        let released = timeout(self.options.operation_timeout, self.positions.release(&entry)).await;
        if !matches!(released, Ok(Ok(()))) {
            self.positions.leave(entry);
        }
    }
}

/// The first of those that are the same.
fn distinct(events: &[LoggedEvent]) -> Vec<(&LoggedEvent, Identity)> {
    let mut seen = HashSet::with_capacity(events.len());
    let identified = events.iter().map(|event| (event, Identity::of(event)));
    identified
        .filter(|(_, identity)| seen.insert(*identity))
        .collect()
}

fn refuse_long(events: &[(&LoggedEvent, Identity)]) -> Result<(), StoreError> {
    match events
        .iter()
        .find(|(event, _)| event.envelope.len() > LONGEST_ENVELOPE)
    {
        Some((event, _)) => Err(StoreError::Refused(
            format!("the envelope of event {} is longer than 15 MiB", event.event_id).into(),
        )),
        None => Ok(()),
    }
}

/// The numbers of the documents that were not inserted because they are there, where nothing else failed.
fn already_there(error: Error) -> Result<HashSet<usize>, StoreError> {
    let ErrorKind::InsertMany(InsertManyError {
        write_errors: Some(errors),
        write_concern_error: None,
        ..
    }) = &*error.kind
    else {
        return Err(failure::classify(error));
    };
    // Only `_id` is unique, so the key that is there twice is the identity.
    let others: Vec<i32> = errors
        .iter()
        .map(|error| error.code)
        .filter(|code| *code != failure::DUPLICATE_KEY)
        .collect();
    if others.is_empty() {
        return Ok(errors.iter().map(|error| error.index).collect());
    }
    if others.iter().all(|code| failure::refuses_document(*code)) {
        return Err(StoreError::Refused(error.into()));
    }
    Err(failure::classify(error))
}

fn count_types(events: &[(&LoggedEvent, Identity)], known: &HashSet<usize>) -> NewEvents {
    let mut counts = NewEvents::new();
    for (number, (event, _)) in events.iter().enumerate() {
        if !known.contains(&number) {
            *counts.entry(event.event_type).or_default() += 1;
        }
    }
    counts
}
