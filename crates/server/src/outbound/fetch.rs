//! Fetches one text over HTTPS: an MTA-STS policy. RFC 8461 §3.3: TLS with a certificate for the host, 200 and nothing else, text/plain, no redirect.

use std::{net::SocketAddr, sync::Arc};

use http_body_util::{BodyExt, Empty};
use hyper::{Request, StatusCode, body::Bytes, header};
use hyper_util::rt::TokioIo;
use rustls::{RootCertStore, pki_types::ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use yubin_delivery::remote::TlsCheck;

use super::verify;

/// Gets `https://host/path` from one of these addresses.
pub async fn get(
    roots: &Arc<RootCertStore>,
    host: &str,
    addresses: &[SocketAddr],
    path: &str,
    octets_max: usize,
) -> Result<Vec<u8>, String> {
    let text = |error: &dyn std::fmt::Display| format!("{host}: {error}");
    let stream = TcpStream::connect(addresses).await.map_err(|e| text(&e))?;
    let config = verify::client(roots, &TlsCheck::Names(vec![host.to_owned()]))?;
    let name = ServerName::try_from(host.to_owned()).map_err(|e| text(&e))?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|e| text(&e))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| text(&e))?;
    // Moves the octets while the request is made; ends with the connection.
    let moving = tokio::spawn(connection);
    let request = Request::get(path)
        .header(header::HOST, host)
        .header(header::USER_AGENT, "Yubin")
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|e| text(&e))?;
    let response = sender.send_request(request).await.map_err(|e| text(&e))?;
    if response.status() != StatusCode::OK {
        return Err(format!("{host} answers {}", response.status()));
    }
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if !kind.trim().to_ascii_lowercase().starts_with("text/plain") {
        return Err(format!("{host} sends {kind:?} and not text/plain"));
    }
    let mut body = response.into_body();
    let mut octets = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(|e| text(&e))?.into_data() {
            octets.extend_from_slice(&data);
        }
        if octets.len() > octets_max {
            moving.abort();
            return Err(format!("{host} sends more than {octets_max} octets"));
        }
    }
    Ok(octets)
}
