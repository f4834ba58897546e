//! Encryption, as far as the feature `tls` brings it.

use fasthttpsession_core::StoreError;
#[cfg(not(feature = "tls"))]
use fasthttpsession_store_common::misconfigured;
use tokio_postgres::config::SslMode as Negotiation;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Config, Error, NoTls, Socket};

use crate::config::{PostgresConfig, SslMode};
use crate::connection::Connection;

/// How connections are encrypted.
pub(crate) enum Tls {
    Never,
    #[cfg(feature = "tls")]
    Rustls(tokio_postgres_rustls::MakeRustlsConnect),
}

impl Tls {
    pub(crate) async fn connect(&self, config: &Config) -> Result<Connection, Error> {
        match self {
            Self::Never => connect(config, NoTls).await,
            #[cfg(feature = "tls")]
            Self::Rustls(tls) => connect(config, tls.clone()).await,
        }
    }

    #[cfg(not(feature = "tls"))]
    pub(crate) fn new(config: &PostgresConfig) -> Result<Self, StoreError> {
        match config.sslmode {
            SslMode::Disable | SslMode::Prefer => Ok(Self::Never),
            SslMode::Require | SslMode::VerifyFull => Err(misconfigured(
                "encrypted connections to postgres were not compiled in; turn on the feature \"tls\" of fasthttpsession",
            )),
        }
    }

    #[cfg(feature = "tls")]
    pub(crate) fn new(config: &PostgresConfig) -> Result<Self, StoreError> {
        let client = match config.sslmode {
            SslMode::Disable => return Ok(Self::Never),
            SslMode::Prefer | SslMode::Require => rustls_client::trusting_anyone()?,
            SslMode::VerifyFull => rustls_client::trusting(config.sslrootcert.as_deref())?,
        };
        Ok(Self::Rustls(tokio_postgres_rustls::MakeRustlsConnect::new(
            client,
        )))
    }
}

impl From<SslMode> for Negotiation {
    fn from(mode: SslMode) -> Self {
        match mode {
            SslMode::Disable => Self::Disable,
            SslMode::Prefer => Self::Prefer,
            SslMode::Require | SslMode::VerifyFull => Self::Require,
        }
    }
}

async fn connect<T>(config: &Config, tls: T) -> Result<Connection, Error>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
{
    let (client, connection) = config.connect(tls).await?;
    Ok(Connection::new(client, async move {
        // Whoever has a statement under way is told.
        let _ = connection.await;
    }))
}

#[cfg(feature = "tls")]
mod rustls_client {
    //! What rustls is told to trust.

    use std::path::Path;
    use std::sync::Arc;

    use fasthttpsession_core::StoreError;
    use fasthttpsession_store_common::misconfigured;
    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
    use rustls::crypto::{self, CryptoProvider, WebPkiSupportedAlgorithms};
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
    use rustls::{
        ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
        WantsVerifier,
    };

    use crate::error::cause;

    /// Trusts the authorities in `file`, or those that the operating system trusts.
    pub(super) fn trusting(file: Option<&Path>) -> Result<ClientConfig, StoreError> {
        let mut roots = RootCertStore::empty();
        if let Some(file) = file {
            add_all_in(file, &mut roots)?;
        } else {
            // One of the operating system's that is not understood does no harm.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        if roots.is_empty() {
            return Err(misconfigured(
                "sslmode=verify-full trusts nobody: there is no certificate of an authority, neither in sslrootcert \
                 nor on this system",
            ));
        }
        Ok(builder()?
            .with_root_certificates(roots)
            .with_no_client_auth())
    }

    /// Trusts whoever answers.
    pub(super) fn trusting_anyone() -> Result<ClientConfig, StoreError> {
        let algorithms = provider().signature_verification_algorithms;
        Ok(builder()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anyone(algorithms)))
            .with_no_client_auth())
    }

    /// One that was passed over would be missed at the servers that it vouches for.
    fn add_all_in(file: &Path, roots: &mut RootCertStore) -> Result<(), StoreError> {
        let unreadable = |error: &dyn std::error::Error| {
            let (file, cause) = (file.display(), cause(error));
            misconfigured(format!("sslrootcert {file} can't be read: {cause}"))
        };
        let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
        let certificates: Vec<_> = read.map_err(|error| unreadable(&error))?;
        for certificate in certificates {
            roots.add(certificate).map_err(|error| unreadable(&error))?;
        }
        Ok(())
    }

    fn provider() -> CryptoProvider {
        crypto::ring::default_provider()
    }

    fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, StoreError> {
        ClientConfig::builder_with_provider(Arc::new(provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| misconfigured(format!("TLS can't be set up: {error}")))
    }

    /// Accepts any certificate, as `prefer` and `require` are documented to; signatures must still be those of its key.
    #[derive(Debug)]
    struct Anyone(WebPkiSupportedAlgorithms);

    impl ServerCertVerifier for Anyone {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, Error> {
            Ok(ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            crypto::verify_tls12_signature(message, certificate, signed, &self.0)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            crypto::verify_tls13_signature(message, certificate, signed, &self.0)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.0.supported_schemes()
        }
    }
}
