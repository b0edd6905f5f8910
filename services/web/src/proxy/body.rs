//! Bodies on their way: those of requests within their limit, those of answers within time.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use odd_runtime::BoxError;
use prometheus::IntGauge;
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep};

/// The body of a request. Beyond its limit it fails, and hands back what is left of the body it came from.
pub(super) struct Limited {
    inner: Option<Body>,
    left: usize,
    broken: Option<oneshot::Sender<Cause>>,
}

/// Why a body failed on its way.
pub(super) enum Cause {
    /// It has more bytes than permitted; this is the rest.
    TooLarge(Body),
    /// The client broke off.
    Broken,
}

impl Limited {
    /// At most `limit` bytes of `inner`, and where to learn why it failed.
    pub(super) fn new(inner: Body, limit: usize) -> (Self, oneshot::Receiver<Cause>) {
        let (broken, cause) = oneshot::channel();
        let body = Self {
            inner: Some(inner),
            left: limit,
            broken: Some(broken),
        };
        (body, cause)
    }

    /// Nothing, of a request that has no body.
    pub(super) fn empty() -> Self {
        Self {
            inner: None,
            left: 0,
            broken: None,
        }
    }

    fn fail(&mut self, cause: Cause, error: BoxError) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(broken) = self.broken.take() {
            // Nobody who listens means that the request was given up already.
            let _ = broken.send(cause);
        }
        Poll::Ready(Some(Err(error)))
    }
}

impl HttpBody for Limited {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(inner) = &mut self.inner else {
            return Poll::Ready(None);
        };
        let frame = match ready!(Pin::new(inner).poll_frame(context)) {
            None => return Poll::Ready(None),
            Some(Err(error)) => return self.fail(Cause::Broken, error.into()),
            Some(Ok(frame)) => frame,
        };
        let length = frame.data_ref().map_or(0, Bytes::len);
        if length > self.left {
            let rest = self.inner.take().unwrap_or_default();
            return self.fail(Cause::TooLarge(rest), "the body is too large".into());
        }
        self.left -= length;
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let nothing = SizeHint::with_exact(0);
        self.inner.as_ref().map_or(nothing, HttpBody::size_hint)
    }
}

/// Why the body failed, where it did.
pub(super) fn cause(mut told: oneshot::Receiver<Cause>) -> Option<Cause> {
    told.try_recv().ok()
}

/// The body of an answer: as it comes, unless it stops coming. One that breaks off never looks complete.
pub(super) struct Passing {
    inner: Incoming,
    silence: Duration,
    until: Pin<Box<Sleep>>,
    waiting: bool,
    open: IntGauge,
}

impl Passing {
    /// `inner`, which may be silent for so long; counted in `open` as long as it is under way.
    pub(super) fn new(inner: Incoming, silence: Duration, open: IntGauge) -> Self {
        open.inc();
        Self {
            inner,
            silence,
            until: Box::pin(tokio::time::sleep(silence)),
            waiting: false,
            open,
        }
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        self.open.dec();
    }
}

impl HttpBody for Passing {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(context) {
            self.waiting = false;
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        // Counted from when somebody waits: a client that is slow to read is not the role's silence.
        if !self.waiting {
            self.waiting = true;
            let end = Instant::now() + self.silence;
            self.until.as_mut().reset(end);
        }
        ready!(self.until.as_mut().poll(context));
        Poll::Ready(Some(Err("the role behind fell silent".into())))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
