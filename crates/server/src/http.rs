//! HTTP: `/metrics`, `/livez`, `/readyz`. No login, no mail.

use std::sync::Arc;

use axum::{Router, extract::State, http::StatusCode, routing::get};
use tokio::{net::TcpListener, sync::watch};

use crate::{app::App, metrics::Metrics};

#[derive(Clone)]
struct Shared {
    app: App,
    metrics: Arc<Metrics>,
}

/// Serves until the server stops.
pub async fn serve(socket: TcpListener, app: App, metrics: Arc<Metrics>, mut stop: watch::Receiver<bool>) {
    let router = Router::new()
        .route("/metrics", get(render))
        // The process runs and answers.
        .route("/livez", get(|| async { "ok\n" }))
        // It takes mail.
        .route("/readyz", get(ready))
        .with_state(Shared { app, metrics });
    let until = async move {
        let _ = stop.changed().await;
    };
    // The error of a listening socket that broke has nobody to go to; the health check notices.
    let _ = axum::serve(socket, router).with_graceful_shutdown(until).await;
}

async fn render(State(shared): State<Shared>) -> ([(&'static str, &'static str); 1], String) {
    let kind = ("content-type", "application/openmetrics-text; version=1.0.0; charset=utf-8");
    ([kind], shared.metrics.render(shared.app.readings()))
}

async fn ready(State(shared): State<Shared>) -> (StatusCode, String) {
    match yubin_engine::Engine::health(&shared.app.engine) {
        yubin_engine::Health::Writable => (StatusCode::OK, "ready\n".to_owned()),
        // The reason may name paths; it is in the log.
        yubin_engine::Health::ReadOnly(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, "the store is read-only after a disk error\n".to_owned())
        }
    }
}
