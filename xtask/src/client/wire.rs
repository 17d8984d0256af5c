//! A connection, plain or under TLS, read by line.

use std::io::{BufRead as _, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};

const BUFFER_OCTETS: usize = 64 * 1024;
const SMALL_BUFFER_OCTETS: usize = 1_024;

/// How long an answer may take.
const READ_PATIENCE: Duration = Duration::from_secs(120);

/// How a connection is protected.
#[derive(Clone)]
pub enum Security {
    Plain,
    Tls(Arc<rustls::ClientConfig>),
}

impl Security {
    /// TLS that accepts exactly the certificate of this file.
    pub fn pinned(certificate: &Path) -> Result<Security> {
        let certificate = CertificateDer::from_pem_file(certificate)
            .with_context(|| format!("read the certificate {}", certificate.display()))?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let pinned = Pinned { certificate, provider: Arc::clone(&provider) };
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(pinned))
            .with_no_client_auth();
        Ok(Security::Tls(Arc::new(config)))
    }
}

/// Accepts one certificate and no other.
#[derive(Debug)]
struct Pinned {
    certificate: CertificateDer<'static>,
    provider: Arc<rustls::crypto::CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if *end_entity == self.certificate {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(rustls::Error::General("another certificate than the pinned one".into()))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<rustls::StreamOwned<rustls::ClientConnection, TcpStream>>),
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Stream::Plain(stream) => stream.read(into),
            Stream::Tls(stream) => stream.read(into),
        }
    }
}

/// One connection.
pub struct Wire {
    stream: BufReader<Stream>,
}

impl Wire {
    pub fn connect(host: &str, port: u16, security: &Security) -> Result<Wire> {
        let tcp = TcpStream::connect((host, port)).with_context(|| format!("connect to {host}:{port}"))?;
        Wire::begin(tcp, security, BUFFER_OCTETS)
    }

    /// Connects from an address of our own, with a small buffer: one of thousands.
    pub fn connect_from(from: &str, host: &str, port: u16, security: &Security) -> Result<Wire> {
        use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
        let address = |text: &str, port: u16| -> Result<std::net::SocketAddr> {
            Ok(std::net::SocketAddr::new(text.parse()?, port))
        };
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
        bind(&socket, &address(from, 0)?)?;
        connect(&socket, &address(host, port)?)
            .with_context(|| format!("connect from {from} to {host}:{port}"))?;
        Wire::begin(TcpStream::from(socket), security, SMALL_BUFFER_OCTETS)
    }

    fn begin(tcp: TcpStream, security: &Security, buffer_octets: usize) -> Result<Wire> {
        tcp.set_nodelay(true)?;
        tcp.set_read_timeout(Some(READ_PATIENCE))?;
        let stream = match security {
            Security::Plain => Stream::Plain(tcp),
            Security::Tls(config) => {
                let name = ServerName::try_from("localhost")?;
                let session = rustls::ClientConnection::new(Arc::clone(config), name)?;
                Stream::Tls(Box::new(rustls::StreamOwned::new(session, tcp)))
            }
        };
        Ok(Wire { stream: BufReader::with_capacity(buffer_octets, stream) })
    }

    pub fn send(&mut self, octets: &[u8]) -> Result<()> {
        match self.stream.get_mut() {
            Stream::Plain(stream) => stream.write_all(octets)?,
            Stream::Tls(stream) => {
                stream.write_all(octets)?;
                stream.flush()?;
            }
        }
        Ok(())
    }

    /// Whether something can be read within this time. A connection that has ended can be.
    pub fn ready(&mut self, patience: Duration) -> Result<bool> {
        if !self.stream.buffer().is_empty() {
            return Ok(true);
        }
        self.set_patience(patience.max(Duration::from_millis(1)))?;
        let ready = match self.stream.fill_buf() {
            Ok(_) => true,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => false,
            Err(error) => return Err(error.into()),
        };
        self.set_patience(READ_PATIENCE)?;
        Ok(ready)
    }

    fn set_patience(&self, patience: Duration) -> Result<()> {
        let tcp = match self.stream.get_ref() {
            Stream::Plain(tcp) => tcp,
            Stream::Tls(stream) => &stream.sock,
        };
        Ok(tcp.set_read_timeout(Some(patience))?)
    }

    /// Appends one line with its end; fails when the connection ends.
    pub fn line(&mut self, into: &mut Vec<u8>) -> Result<()> {
        let octets = self.stream.read_until(b'\n', into)?;
        if octets == 0 || into.last() != Some(&b'\n') {
            bail!("the connection ended");
        }
        Ok(())
    }

    /// Appends exactly so many octets.
    pub fn exactly(&mut self, octets: usize, into: &mut Vec<u8>) -> Result<()> {
        let got = (&mut self.stream).take(octets as u64).read_to_end(into)?;
        if got != octets {
            bail!("the connection ended");
        }
        Ok(())
    }
}
