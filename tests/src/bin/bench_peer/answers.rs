//! What this peer answered as a server, counted: how often it sent somebody away, and how often it failed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use serde_json::{Value, json};

/// The answers of one server since it was started. Copies are one.
#[derive(Clone, Default)]
pub(crate) struct Answers(Arc<Counts>);

#[derive(Default)]
struct Counts {
    busy: AtomicU64,
    failed: AtomicU64,
}

impl Answers {
    /// The same router, whose answers are counted.
    pub(crate) fn counted(&self, router: Router) -> Router {
        let answers = self.clone();
        router.layer(from_fn(move |request: Request, next: Next| {
            let answers = answers.clone();
            async move {
                let response = next.run(request).await;
                answers.note(response.status());
                response
            }
        }))
    }

    fn note(&self, status: StatusCode) {
        let count = match status {
            StatusCode::SERVICE_UNAVAILABLE => &self.0.busy,
            status if status.is_server_error() => &self.0.failed,
            _ => return,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// How often it was said to come again, and how often something else was wrong here.
    pub(crate) fn told(&self) -> Value {
        json!({"busy": self.0.busy.load(Ordering::Relaxed), "failed": self.0.failed.load(Ordering::Relaxed)})
    }
}
