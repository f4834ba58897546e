use fasthttpsession::{BuildError, Codec, Sessions, Store};
use serde_json::{Map, Value};
use std::error::Error;

pub fn encode(values: &Map<String, Value>) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
    Ok(serde_json::to_string_pretty(values)?.into_bytes())
}

pub fn decode(bytes: &[u8]) -> Result<Map<String, Value>, Box<dyn Error + Send + Sync>> {
    Ok(serde_json::from_str(std::str::from_utf8(bytes)?)?)
}

pub fn build(store: impl Store) -> Result<Sessions, BuildError> {
    Sessions::builder(store)
        .codec(Codec::map("pretty", encode, decode))
        .build()
}
