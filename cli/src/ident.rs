//! Ids as people type them: whole, or their first characters.

use std::str::FromStr;

use odd_client::JobQuery;
use odd_look::ident::{SHORTEST, prefix};
use uuid::Uuid;

use crate::context::Context;
use crate::error::{Error, of_instance};
use crate::exit::ExitCode;
use crate::format;

/// Rows of one page.
const PAGE: usize = 500;
/// Pages that are looked through before more characters are asked for.
const MOST_PAGES: usize = 20;
/// Most candidates that are named.
const NAMED: usize = 5;

/// A whole id, or its first characters in lower case with hyphens where they belong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ident {
    /// A whole id.
    Whole(Uuid),
    /// How an id begins.
    Prefix(String),
}

impl FromStr for Ident {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(id) = text.parse() {
            return Ok(Self::Whole(id));
        }
        let prefix = prefix(text)
            .ok_or_else(|| format!("an id is a UUID; at least {SHORTEST} of its first characters will do"))?;
        Ok(Self::Prefix(prefix))
    }
}

/// The jobs that these texts mean, each once.
///
/// # Errors
/// Where a text means no job, or more than one.
pub async fn jobs(context: &Context, idents: &[Ident]) -> Result<Vec<Uuid>, Error> {
    let mut ids = Vec::with_capacity(idents.len());
    for ident in idents {
        let id = match ident {
            Ident::Whole(id) => *id,
            Ident::Prefix(prefix) => job(context, prefix).await?,
        };
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok(ids)
}

async fn job(context: &Context, prefix: &str) -> Result<Uuid, Error> {
    let read_model = context.read_model()?;
    let mut query = JobQuery {
        id_contains: Some(prefix.to_owned()),
        limit: Some(PAGE),
        ..JobQuery::default()
    };
    let mut found = Found::new(prefix);
    for _ in 0..MOST_PAGES {
        let page = read_model
            .jobs(&query)
            .await
            .map_err(|e| context.client_error(format!("find the job {prefix}"), e))?;
        found.add(page.jobs.iter().map(|job| job.id));
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            break;
        }
    }
    let of = of_instance(context.instance_name());
    found.only("job", &format!("odd jobs list{of}"))
}

/// The dead letters that these texts mean, each once.
///
/// # Errors
/// Where a text means no dead letter, or more than one.
pub async fn dead_letters(context: &Context, idents: &[Ident]) -> Result<Vec<Uuid>, Error> {
    let mut ids = Vec::with_capacity(idents.len());
    for ident in idents {
        let id = match ident {
            Ident::Whole(id) => *id,
            Ident::Prefix(prefix) => dead_letter(context, prefix).await?,
        };
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok(ids)
}

async fn dead_letter(context: &Context, prefix: &str) -> Result<Uuid, Error> {
    let read_model = context.read_model()?;
    let mut found = Found::new(prefix);
    let mut cursor = None;
    for _ in 0..MOST_PAGES {
        let page = read_model
            .dead_letters(cursor.as_deref(), Some(PAGE))
            .await
            .map_err(|e| context.client_error(format!("find the dead letter {prefix}"), e))?;
        found.add(page.dead_letters.iter().map(|letter| letter.id));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    let of = of_instance(context.instance_name());
    found.only("dead letter", &format!("odd dead-letters list{of}"))
}

/// Ids that begin so.
struct Found<'a> {
    prefix: &'a str,
    ids: Vec<Uuid>,
}

impl<'a> Found<'a> {
    const fn new(prefix: &'a str) -> Self {
        Self {
            prefix,
            ids: Vec::new(),
        }
    }

    fn add(&mut self, ids: impl Iterator<Item = Uuid>) {
        let begin_so = ids.filter(|id| id.to_string().starts_with(self.prefix));
        self.ids.extend(begin_so);
    }

    fn only(mut self, what: &str, list: &str) -> Result<Uuid, Error> {
        self.ids.sort_unstable();
        self.ids.dedup();
        let prefix = self.prefix;
        match self.ids.as_slice() {
            [id] => Ok(*id),
            [] => Err(Error::because(format!("find the {what} {prefix}"), "none is known (yet)").hint(list)),
            several => {
                let reason = format!("{} begin so", format::count(several.len() as u64));
                let mut error = Error::because(format!("tell which {what} {prefix} is"), reason)
                    .code(ExitCode::Usage)
                    .hint("give more characters of the id");
                error.details = several.iter().take(NAMED).map(Uuid::to_string).collect();
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "9f31c2ab-0102-4304-8506-0708090a0b0c";

    fn prefix(text: &str) -> String {
        match text.parse() {
            Ok(Ident::Prefix(prefix)) => prefix,
            other => panic!("{text:?}: {other:?}"),
        }
    }

    #[test]
    fn ids_may_be_whole_or_cut_short_anywhere() {
        assert_eq!(ID.parse(), Ok(Ident::Whole(ID.parse().unwrap())));
        assert_eq!(
            ID.to_uppercase().replace('-', "").parse(),
            Ok(Ident::Whole(ID.parse().unwrap()))
        );
        assert_eq!(prefix("9f31"), "9f31");
        assert_eq!(prefix("9F31C2AB"), "9f31c2ab");
        assert_eq!(prefix("9f31c2ab-"), "9f31c2ab");
        assert_eq!(prefix("9f31c2ab01"), "9f31c2ab-01");
        for end in 4..36 {
            assert!(ID.starts_with(&prefix(&ID[..end])), "{end}");
            assert!(ID.starts_with(&prefix(&ID[..end].replace('-', ""))), "{end}");
        }
        for bad in ["", "9f3", "9-f-3", "hello", "9f31c2ag", &"a".repeat(33)] {
            assert!(bad.parse::<Ident>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn one_id_must_begin_so() {
        let ids = |texts: &[&str]| texts.iter().map(|t| t.parse().unwrap()).collect::<Vec<Uuid>>();
        let other = "0009f31c-0102-4304-8506-0708090a9f31";
        let mut found = Found::new("9f31");
        found.add(ids(&[ID, other, ID]).into_iter());
        assert_eq!(found.only("job", "list").unwrap(), ID.parse::<Uuid>().unwrap());

        let none = Found::new("9f31").only("job", "list").unwrap_err();
        assert_eq!(
            (none.code, none.hint.as_deref()),
            (ExitCode::Failed, Some("list"))
        );

        let mut two = Found::new("9f31");
        two.add(ids(&[ID, "9f31ffff-0102-4304-8506-0708090a0b0c"]).into_iter());
        let ambiguous = two.only("job", "list").unwrap_err();
        assert_eq!((ambiguous.code, ambiguous.details.len()), (ExitCode::Usage, 2));
    }
}
