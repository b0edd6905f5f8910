//! Reading a streamed answer line by line.

use bytes::{Bytes, BytesMut};
use futures::stream::{self, Stream, TryStreamExt};
use serde::de::DeserializeOwned;

use crate::ClientError;
use crate::http::excerpt;

/// Longest line that is believed to be a document of ours.
const LONGEST_LINE: usize = 16 * 1024 * 1024;

/// The documents of an NDJSON body as they arrive. Ends with an error where the body does, or where a line is no `T`.
pub(crate) fn documents<T, S>(
    url: String,
    body: S,
) -> impl Stream<Item = Result<T, ClientError>> + Send + Unpin
where
    T: DeserializeOwned + Send + 'static,
    S: Stream<Item = Result<Bytes, ClientError>> + Send + Unpin + 'static,
{
    let state = (body, BytesMut::new(), url);
    Box::pin(stream::try_unfold(
        state,
        |(mut body, mut buffer, url)| async move {
            loop {
                let Some(line) = next_line(&url, &mut body, &mut buffer).await? else {
                    return Ok(None);
                };
                if line.trim_ascii().is_empty() {
                    continue;
                }
                let document = serde_json::from_slice(&line)
                    .map_err(|error| unexpected(&url, &error.to_string(), &line))?;
                return Ok(Some((document, (body, buffer, url))));
            }
        },
    ))
}

async fn next_line<S>(url: &str, body: &mut S, buffer: &mut BytesMut) -> Result<Option<BytesMut>, ClientError>
where
    S: Stream<Item = Result<Bytes, ClientError>> + Unpin,
{
    let mut searched = 0;
    loop {
        if let Some(at) = buffer[searched..].iter().position(|b| *b == b'\n') {
            return Ok(Some(buffer.split_to(searched + at + 1)));
        }
        searched = buffer.len();
        if searched > LONGEST_LINE {
            return Err(unexpected(url, "a line is too long", buffer));
        }
        match body.try_next().await? {
            Some(chunk) => buffer.extend_from_slice(&chunk),
            None if buffer.is_empty() => return Ok(None),
            None => return Ok(Some(buffer.split())),
        }
    }
}

fn unexpected(url: &str, reason: &str, line: &[u8]) -> ClientError {
    ClientError::Unexpected {
        url: url.to_owned(),
        status: 200,
        detail: format!("{reason}: {}", excerpt(line)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(chunks: &[&'static str]) -> Vec<Result<u32, ClientError>> {
        let chunks: Vec<_> = chunks
            .iter()
            .map(|c| Ok(Bytes::from_static(c.as_bytes())))
            .collect();
        let documents = documents("http://127.0.0.1".to_owned(), stream::iter(chunks));
        futures::StreamExt::collect(documents).await
    }

    #[tokio::test]
    async fn lines_may_be_cut_anywhere() {
        let numbers: Vec<u32> = read(&["1\n2", "3", "\n\n", "4\n5"])
            .await
            .into_iter()
            .map(Result::unwrap)
            .collect();
        assert_eq!(numbers, [1, 23, 4, 5]);
        assert!(read(&[]).await.is_empty());
    }

    #[tokio::test]
    async fn a_wrong_line_ends_the_stream_with_an_error() {
        let results = read(&["1\n{\n2\n"]).await;
        assert_eq!(results.len(), 2);
        let error = results[1].as_ref().unwrap_err().to_string();
        assert!(error.contains('{'), "{error}");
    }
}
