//! How another server's certificate is judged: not at all, by the system's authorities, or by DANE. RFC 7672 §3, RFC 7435, RFC 8461 §4.2.
//! Signatures of the handshake are always checked: whoever presents a certificate has its key.

use std::{path::Path, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use x509_parser::prelude::{FromDer, X509Certificate};
use yubin_delivery::remote::{TlsCheck, dane::TlsaUse};

/// The authorities of a PEM file, or the system's when there is none.
pub fn roots(file: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    if file.as_os_str().is_empty() {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return Ok(roots);
    }
    let certificates = CertificateDer::pem_file_iter(file).map_err(|e| format!("{}: {e}", file.display()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|e| format!("{}: {e}", file.display()))?;
        roots.add(certificate).map_err(|e| format!("{}: {e}", file.display()))?;
    }
    Ok(roots)
}

/// The settings of a handshake that must prove this.
pub fn client(roots: &Arc<RootCertStore>, check: &TlsCheck) -> Result<ClientConfig, String> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?;
    let judge = match check {
        TlsCheck::Nothing => Judge::Anybody,
        TlsCheck::Names(names) => Judge::Authorities { roots: roots.clone(), names: names.clone() },
        TlsCheck::Dane { records, names } => Judge::Dane { records: records.clone(), names: names.clone() },
    };
    let verifier = Arc::new(Verifier { judge, provider });
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

#[derive(Debug)]
struct Verifier {
    judge: Judge,
    provider: Arc<CryptoProvider>,
}

#[derive(Debug)]
enum Judge {
    Anybody,
    Authorities { roots: Arc<RootCertStore>, names: Vec<String> },
    Dane { records: Vec<TlsaUse>, names: Vec<String> },
}

impl Verifier {
    fn by_authorities(
        &self,
        roots: &Arc<RootCertStore>,
        names: &[String],
        presented: (&CertificateDer<'_>, &[CertificateDer<'_>]),
        now: UnixTime,
    ) -> Result<(), Error> {
        let verifier = WebPkiServerVerifier::builder_with_provider(roots.clone(), self.provider.clone())
            .build()
            .map_err(|e| Error::General(e.to_string()))?;
        let mut last = Error::InvalidCertificate(CertificateError::NotValidForName);
        for name in names {
            let Ok(name) = ServerName::try_from(name.trim_matches(['[', ']'])) else { continue };
            match verifier.verify_server_cert(presented.0, presented.1, &name, &[], now) {
                Ok(_) => return Ok(()),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn by_dane(
        &self,
        records: &[TlsaUse],
        names: &[String],
        presented: (&CertificateDer<'_>, &[CertificateDer<'_>]),
        now: UnixTime,
    ) -> Result<(), Error> {
        let (own, others) = presented;
        // RFC 7672 §3.1.1: with DANE-EE neither names nor dates matter.
        if records.iter().any(|record| !record.authority && names_certificate(record, own)) {
            return Ok(());
        }
        // RFC 7672 §3.1.2: with DANE-TA the authority is one of those presented, or stands in the record whole.
        let authorities = records.iter().filter(|record| record.authority);
        for record in authorities {
            let chosen =
                others.iter().chain([own]).find(|certificate| names_certificate(record, certificate));
            let whole = CertificateDer::from(record.data.clone());
            let Some(authority) = chosen.or_else(|| names_certificate(record, &whole).then_some(&whole))
            else {
                continue;
            };
            let mut roots = RootCertStore::empty();
            if roots.add(authority.clone().into_owned()).is_ok()
                && self.by_authorities(&Arc::new(roots), names, presented, now).is_ok()
            {
                return Ok(());
            }
        }
        Err(Error::General("the certificate is none that the TLSA records name".into()))
    }
}

fn names_certificate(record: &TlsaUse, certificate: &CertificateDer<'_>) -> bool {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else { return false };
    record.matches(certificate, parsed.tbs_certificate.subject_pki.raw)
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let presented = (end_entity, intermediates);
        match &self.judge {
            Judge::Anybody => {}
            Judge::Authorities { roots, names } => self.by_authorities(roots, names, presented, now)?,
            Judge::Dane { records, names } => self.by_dane(records, names, presented, now)?,
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use yubin_delivery::remote::dane::Matching;

    fn judged(check: &TlsCheck, roots: RootCertStore, certificate: &CertificateDer<'static>) -> bool {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let judge = match check.clone() {
            TlsCheck::Nothing => Judge::Anybody,
            TlsCheck::Names(names) => Judge::Authorities { roots: Arc::new(roots), names },
            TlsCheck::Dane { records, names } => Judge::Dane { records, names },
        };
        let verifier = Verifier { judge, provider };
        let name = ServerName::try_from("sni.test").unwrap();
        verifier.verify_server_cert(certificate, &[], &name, &[], UnixTime::now()).is_ok()
    }

    #[test]
    fn certificates_are_judged_as_the_policy_says() {
        let made = rcgen::generate_simple_self_signed(vec!["mx.far.test".to_owned()]).unwrap();
        let other = rcgen::generate_simple_self_signed(vec!["mx.far.test".to_owned()]).unwrap();
        let (certificate, other) = (made.cert.der().clone(), other.cert.der().clone());
        let record = |authority, data: &CertificateDer<'_>| TlsaUse {
            authority,
            public_key: false,
            matching: Matching::Full,
            data: data.to_vec(),
        };
        let dane =
            |record: TlsaUse, name: &str| TlsCheck::Dane { records: vec![record], names: vec![name.into()] };
        let trusting = || {
            let mut roots = RootCertStore::empty();
            roots.add(certificate.clone()).unwrap();
            roots
        };
        let names = |name: &str| TlsCheck::Names(vec![name.into()]);
        let empty = RootCertStore::empty;
        assert!(judged(&TlsCheck::Nothing, empty(), &certificate));
        assert!(judged(&names("mx.far.test"), trusting(), &certificate));
        assert!(!judged(&names("other.test"), trusting(), &certificate), "another name");
        assert!(!judged(&names("mx.far.test"), trusting(), &other), "another authority");
        assert!(judged(&dane(record(false, &certificate), "whatever.test"), empty(), &certificate));
        assert!(!judged(&dane(record(false, &certificate), "mx.far.test"), empty(), &other));
        assert!(judged(&dane(record(true, &certificate), "mx.far.test"), empty(), &certificate));
        assert!(
            !judged(&dane(record(true, &certificate), "other.test"), empty(), &certificate),
            "DANE-TA has names"
        );
    }
}
