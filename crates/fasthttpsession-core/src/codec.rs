//! How values become bytes.

/// How values become bytes.
#[derive(Clone)]
pub struct Codec(());

impl Codec {
    /// JSON. The default: readable by anything.
    pub fn json() -> Self { todo!() }
    /// `MessagePack` with field names.
    #[cfg(feature = "messagepack")]
    pub fn message_pack() -> Self { todo!() }
    /// CBOR.
    #[cfg(feature = "cbor")]
    pub fn cbor() -> Self { todo!() }
}
