//! TLS by rustls: certificate files that are read again when they change, and what a session needs to know of its TLS.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use parking_lot::RwLock;
use rustls::{
    ServerConfig, ServerConnection,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio_rustls::TlsAcceptor;
use yubin_base::TlsInfo;

use crate::{events, limits};

/// RFC 9266 §4.2.
const EXPORTER_LABEL: &[u8] = b"EXPORTER-Channel-Binding";

/// The certificate in use, and where it came from.
pub struct Certificate {
    files: Option<Files>,
    current: RwLock<Arc<CertifiedKey>>,
}

struct Files {
    certificate: PathBuf,
    key: PathBuf,
    seen: RwLock<Option<(SystemTime, SystemTime)>>,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificate")
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().clone())
    }
}

impl Certificate {
    /// Reads the two PEM files.
    pub fn from_files(certificate: &Path, key: &Path) -> Result<Arc<Self>, String> {
        let files = Files { certificate: certificate.into(), key: key.into(), seen: RwLock::new(None) };
        let current = files.load()?;
        *files.seen.write() = files.modified();
        Ok(Arc::new(Self { files: Some(files), current: RwLock::new(current) }))
    }

    /// Makes a self-signed certificate for these names (and 127.0.0.1), and tells its PEM form for clients to trust.
    pub fn self_signed(names: Vec<String>) -> Result<(Arc<Self>, String), String> {
        let made = rcgen::generate_simple_self_signed(names).map_err(|e| e.to_string())?;
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).map_err(str::to_owned)?;
        let current = certified(vec![made.cert.der().clone()], key)?;
        Ok((Arc::new(Self { files: None, current: RwLock::new(current) }), made.cert.pem()))
    }

    /// Reads the files again if they changed. Damaged files leave the old certificate in use.
    pub fn reload_if_changed(&self) {
        let Some(files) = &self.files else { return };
        let modified = files.modified();
        if modified == *files.seen.read() {
            return;
        }
        *files.seen.write() = modified;
        self.reload();
    }

    /// Reads the files again.
    pub fn reload(&self) {
        let Some(files) = &self.files else { return };
        match files.load() {
            Ok(key) => {
                *self.current.write() = key;
                yubin_base::event!(events::CERTIFICATE_LOADED, file = %files.certificate.display());
            }
            Err(error) => yubin_base::event!(events::CERTIFICATE_REFUSED, error = %error),
        }
    }

    /// Looks at the files now and then, for ever.
    pub async fn watch(self: Arc<Self>) {
        loop {
            tokio::time::sleep(Duration::from_secs(limits::CERTIFICATE_CHECK_S)).await;
            self.reload_if_changed();
        }
    }

    /// The acceptor for every listener. No ALPN is offered: a client that asks for a protocol of another kind (ALPACA) finds none.
    pub fn acceptor(self: &Arc<Self>) -> Result<Arc<TlsAcceptor>, String> {
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|e| e.to_string())?
            .with_no_client_auth()
            .with_cert_resolver(self.clone());
        Ok(Arc::new(TlsAcceptor::from(Arc::new(config))))
    }
}

impl Files {
    fn load(&self) -> Result<Arc<CertifiedKey>, String> {
        let chain: Result<Vec<CertificateDer<'static>>, _> = CertificateDer::pem_file_iter(&self.certificate)
            .map_err(|e| format!("{}: {e}", self.certificate.display()))?
            .collect();
        let chain = chain.map_err(|e| format!("{}: {e}", self.certificate.display()))?;
        if chain.is_empty() {
            return Err(format!("{}: no certificate in the file", self.certificate.display()));
        }
        let key =
            PrivateKeyDer::from_pem_file(&self.key).map_err(|e| format!("{}: {e}", self.key.display()))?;
        certified(chain, key)
    }

    fn modified(&self) -> Option<(SystemTime, SystemTime)> {
        let of = |path: &Path| std::fs::metadata(path).and_then(|m| m.modified()).ok();
        Some((of(&self.certificate)?, of(&self.key)?))
    }
}

fn certified(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<CertifiedKey>, String> {
    CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())
        .map(Arc::new)
        .map_err(|e| format!("the certificate and its key: {e}"))
}

/// What a session may know of its TLS.
pub fn info(tls: &ServerConnection) -> TlsInfo {
    TlsInfo { server_name: tls.server_name().map(str::to_owned), ..common_info(tls) }
}

/// What is known of the TLS of a connection that we made.
pub fn client_info(tls: &rustls::ClientConnection) -> TlsInfo {
    common_info(tls)
}

fn common_info<D>(tls: &rustls::ConnectionCommon<D>) -> TlsInfo {
    let version = match tls.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
        _ => "TLS",
    };
    let cipher = tls
        .negotiated_cipher_suite()
        .and_then(|c| c.suite().as_str().map(|name| name.replace("TLS13_", "TLS_")))
        .unwrap_or_default();
    // RFC 9266 §3: with TLS 1.2 the exporter is safe only under the extended master secret, which rustls does not tell us.
    let exporter = if version == "TLSv1.3" {
        tls.export_keying_material(vec![0; 32], EXPORTER_LABEL, None).unwrap_or_default()
    } else {
        Vec::new()
    };
    TlsInfo { version: version.to_owned(), cipher, exporter, server_name: None }
}
