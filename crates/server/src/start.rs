//! Starting and stopping: `yubin serve`, and what `yubin dev` shares with it.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};

use crate::{
    admin::socket::AdminSocket,
    app::{App, AppError, Bound, Running},
    cli::exit,
    config::Config,
    events, http,
    listen::{self, Inherited},
    logging,
    metrics::Metrics,
    tls::Certificate,
};

/// Runs the server until a signal stops it.
pub async fn serve(config: Config) -> u8 {
    let metrics = Metrics::new();
    logging::start(config.log.format, config.log.level, metrics.clone());
    let certificate = if config.tls.certificate.as_os_str().is_empty() {
        None
    } else {
        match Certificate::from_files(&config.tls.certificate, &config.tls.key) {
            Ok(certificate) => Some(certificate),
            Err(error) => return complain(&AppError(error)),
        }
    };
    let stopped = until_stopped(certificate.clone());
    match start(Arc::new(config), metrics, certificate).await {
        Ok(started) => {
            notify(&[sd_notify::NotifyState::Ready]);
            stopped.await;
            notify(&[sd_notify::NotifyState::Stopping]);
            started.running.stop().await;
            exit::OK
        }
        Err(error) => complain(&error),
    }
}

fn complain(error: &AppError) -> u8 {
    eprintln!("yubin: {error}");
    exit::FAILED
}

/// A server that runs, and the ports it took.
pub struct Started {
    /// For stopping it.
    pub running: Running,
    /// Protocol and port of each listener, `http` included.
    pub ports: Vec<(&'static str, u16)>,
    /// The app, for what is done on top.
    pub app: App,
}

/// Binds every port first: a server that cannot listen must not open the store. Then opens the store and serves.
pub async fn start(
    config: Arc<Config>,
    metrics: Arc<Metrics>,
    certificate: Option<Arc<Certificate>>,
) -> Result<Started, AppError> {
    let mut inherited = Inherited::take();
    let mut sockets = Vec::new();
    let mut ports = Vec::new();
    for listener in config.listeners() {
        let socket = listen::bind(&listener, &mut inherited).map_err(|e| {
            AppError(format!(
                "{} on {}: {e}. Another server may use the port; ports below 1024 need the right to bind them.",
                listener.protocol.name(),
                listener.address
            ))
        })?;
        let port = socket.local_addr().map_err(|e| AppError(e.to_string()))?.port();
        ports.push((listener.protocol.name(), port));
        sockets.push(Bound { protocol: listener.protocol, socket });
    }
    let http = match config.http.address {
        Some(address) => {
            let socket = tokio::net::TcpListener::bind(address)
                .await
                .map_err(|e| AppError(format!("http on {address}: {e}")))?;
            ports.push(("http", socket.local_addr().map_err(|e| AppError(e.to_string()))?.port()));
            Some(socket)
        }
        None => None,
    };
    let app = App::open(config.clone()).await?;
    let path = config.server.admin_socket();
    let admin = AdminSocket::bind(&path)
        .map_err(|e| AppError(format!("The admin socket {}: {e}", path.display())))?;
    let mut running = Running::new(app.clone(), metrics.clone(), certificate);
    running.serve(sockets)?;
    let stop = running.stop_signal();
    running.spawn(admin.serve(app.clone(), stop.clone()));
    if let Some(socket) = http {
        running.spawn(http::serve(socket, app.clone(), metrics, stop));
    }
    let listed: Vec<String> = ports.iter().map(|(name, port)| format!("{name}:{port}")).collect();
    yubin_base::event!(events::READY, listeners = listed.join(" "));
    Ok(Started { running, ports, app })
}

/// Ready when SIGTERM or SIGINT comes. SIGHUP reads the certificate again. Signals count from the call on, not from the first
/// await: call it before anybody is told that the server is ready.
pub fn until_stopped(certificate: Option<Arc<Certificate>>) -> impl Future<Output = ()> {
    let signals =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::hangup()));
    async move {
        let (Ok(mut term), Ok(mut interrupt), Ok(mut hangup)) = signals else {
            // Without signals there is no way to stop but by force; go on serving.
            return std::future::pending().await;
        };
        loop {
            tokio::select! {
                _ = term.recv() => return,
                _ = interrupt.recv() => return,
                _ = hangup.recv() => {
                    if let Some(certificate) = &certificate {
                        certificate.reload();
                    }
                }
            }
        }
    }
}

/// Tells systemd; without it this does nothing.
fn notify(states: &[sd_notify::NotifyState<'_>]) {
    let _ = sd_notify::notify(states);
}
