//! Encryption: which servers are trusted.

use std::path::Path;
use std::sync::Arc;

use fasthttpsession_core::StoreError;
use fasthttpsession_store_common::misconfigured;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

/// TLS that trusts the certificates of `ca_file` alone, or those that the operating system trusts.
pub(crate) fn trusting(ca_file: Option<&Path>) -> Result<TlsConnector, StoreError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(ca_file)? {
        // One of the operating system's that is not understood does no harm.
        if let (Err(error), Some(file)) = (roots.add(certificate), ca_file) {
            return Err(misconfigured(format!(
                "ca_file {}: {error}",
                file.display()
            )));
        }
    }
    if roots.is_empty() {
        return Err(misconfigured(
            "TLS trusts nobody: this system has no certificate of an authority, and ca_file names none",
        ));
    }
    let provider = Arc::new(crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| misconfigured(format!("TLS: {error}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn certificates(ca_file: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, StoreError> {
    let Some(file) = ca_file else {
        return Ok(rustls_native_certs::load_native_certs().certs);
    };
    let wrong = |why: String| misconfigured(format!("ca_file {}: {why}", file.display()));
    let read = CertificateDer::pem_file_iter(file).map_err(|error| wrong(error.to_string()))?;
    let certificates: Result<Vec<_>, _> = read.collect();
    let certificates = certificates.map_err(|error| wrong(error.to_string()))?;
    if certificates.is_empty() {
        return Err(wrong("it holds no certificate".to_owned()));
    }
    Ok(certificates)
}
