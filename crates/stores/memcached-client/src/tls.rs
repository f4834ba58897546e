//! TLS, if the feature `tls` is on.

use std::io;

use tokio::net::TcpStream;

use crate::config::TlsConfig;
use crate::error::{Error, ErrorKind};
use crate::stream::Stream;

#[cfg(feature = "tls")]
pub(crate) use with_tls::Tls;

#[cfg(not(feature = "tls"))]
pub(crate) use without_tls::Tls;

#[cfg(feature = "tls")]
mod with_tls {
    use std::fmt;
    use std::path::Path;
    use std::sync::Arc;

    use tokio_rustls::TlsConnector;
    use tokio_rustls::rustls::crypto::ring;
    use tokio_rustls::rustls::pki_types::pem::PemObject;
    use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
    use tokio_rustls::rustls::{self, RootCertStore};

    use super::{Error, ErrorKind, Stream, TcpStream, TlsConfig, io};

    #[derive(Clone)]
    pub(crate) struct Tls(TlsConnector);

    impl Tls {
        /// Reads the certificates of the authorities.
        pub(crate) fn new(config: &TlsConfig) -> Result<Self, Error> {
            let roots = match &config.authorities {
                Some(file) => from_file(file)?,
                None => from_system()?,
            };
            let provider = Arc::new(ring::default_provider());
            let client = rustls::ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .map_err(|error| invalid(format!("TLS can't be set up: {error}")))?
                .with_root_certificates(roots)
                .with_no_client_auth();
            Ok(Self(Arc::new(client).into()))
        }

        pub(crate) async fn connect(&self, host: &str, stream: TcpStream) -> io::Result<Stream> {
            let name = ServerName::try_from(host.to_owned())
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
            Ok(Box::new(self.0.connect(name, stream).await?))
        }
    }

    fn from_file(file: &Path) -> Result<RootCertStore, Error> {
        let unreadable = |why: &dyn fmt::Display| {
            let file = file.display();
            invalid(format!("the certificates in {file} can't be read: {why}"))
        };
        let mut roots = RootCertStore::empty();
        let certificates =
            CertificateDer::pem_file_iter(file).map_err(|error| unreadable(&error))?;
        for certificate in certificates {
            let certificate = certificate.map_err(|error| unreadable(&error))?;
            roots.add(certificate).map_err(|error| unreadable(&error))?;
        }
        if roots.is_empty() {
            return Err(unreadable(&"there are none"));
        }
        Ok(roots)
    }

    fn from_system() -> Result<RootCertStore, Error> {
        let mut roots = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            let sentence = "the system trusts no authorities; name a file of certificates";
            return Err(invalid(sentence));
        }
        Ok(roots)
    }

    fn invalid(sentence: impl Into<Box<str>>) -> Error {
        Error::new(ErrorKind::Invalid, sentence)
    }
}

#[cfg(not(feature = "tls"))]
mod without_tls {
    use super::{Error, ErrorKind, Stream, TcpStream, TlsConfig, io};

    /// There is none.
    #[derive(Clone)]
    pub(crate) enum Tls {}

    impl Tls {
        pub(crate) fn new(_: &TlsConfig) -> Result<Self, Error> {
            let sentence = "TLS was asked for, and this program was built without it: turn on the feature `tls` of \
                            fasthttpsession";
            Err(Error::new(ErrorKind::Invalid, sentence))
        }

        #[allow(clippy::unused_async, reason = "as with TLS")]
        pub(crate) async fn connect(&self, _: &str, _: TcpStream) -> io::Result<Stream> {
            match *self {}
        }
    }
}
