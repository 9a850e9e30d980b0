//! Columns to types, and back.

use bytes::Bytes;
use repono_core::etag::ETag;
use repono_core::id::{BlobId, VersionId};
use repono_core::time::Timestamp;
use rusqlite::Row;

use crate::error::{Part, StoreError};
use crate::model::{BlobPlace, Content, Metadata, MetadataChange, Object};

/// A row that does not hold what the schema says.
pub(super) const BAD_ROW: StoreError = StoreError::Corrupt { what: Part::Row };

/// The columns that [`object`] reads, of `object o` and `inline_blob i`.
macro_rules! object_columns {
    () => {
        "o.version, o.timestamp, o.size, o.etag, o.content_type, o.metadata, \
         o.blob, o.footer_crc64, o.footer_bytes, i.bytes, i.crc64"
    };
}
pub(super) use object_columns;

/// An object from the first columns of a row; `None` when the join found none.
pub(super) fn object(row: &Row<'_>) -> Result<Option<Object>, StoreError> {
    let Some(number) = row.get::<_, Option<i64>>(0)? else { return Ok(None) };
    let size = unsigned(row.get(2)?)?;
    Ok(Some(Object {
        version: version(number)?,
        timestamp: timestamp(row.get(1)?)?,
        size,
        etag: ETag::from_md5(row.get(3)?),
        content_type: row.get(4)?,
        metadata: metadata(row.get_ref(5)?.as_str().map_err(|_| BAD_ROW)?)?,
        content: content(row, size)?,
    }))
}

fn content(row: &Row<'_>, size: u64) -> Result<Content, StoreError> {
    if let Some(id) = row.get::<_, Option<[u8; 16]>>(6)? {
        let footer_crc64 = row.get::<_, i64>(7)?.cast_unsigned();
        let footer_bytes = row.get(8)?;
        return Ok(Content::Blob(BlobPlace { id: BlobId::from_bytes(id), footer_crc64, footer_bytes }));
    }
    let bytes = row.get_ref(9)?.as_blob().map_err(|_| BAD_ROW)?;
    let crc64 = row.get::<_, i64>(10)?.cast_unsigned();
    if bytes.len() as u64 != size || crc_fast::crc64_nvme(bytes) != crc64 {
        return Err(StoreError::Corrupt { what: Part::Inline });
    }
    Ok(Content::Inline { bytes: Bytes::copy_from_slice(bytes), crc64 })
}

/// A count, a size or a second.
pub(super) fn unsigned(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|_| BAD_ROW)
}

/// The stored form of a count, a size or a second; what does not fit is the
/// greatest that does.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn timestamp(units: i64) -> Result<Timestamp, StoreError> {
    unsigned(units).map(Timestamp::from_units)
}

pub(super) fn version(number: i64) -> Result<VersionId, StoreError> {
    VersionId::from_u64(unsigned(number)?).ok_or(BAD_ROW)
}

/// The text of a name that is kept as bytes.
pub(super) fn name<'a>(row: &'a Row<'_>, column: usize) -> Result<&'a str, StoreError> {
    let bytes = row.get_ref(column)?.as_blob().map_err(|_| BAD_ROW)?;
    str::from_utf8(bytes).map_err(|_| BAD_ROW)
}

/// Metadata from its JSON: `[["name","value"],…]`.
pub(super) fn metadata(json: &str) -> Result<Metadata, StoreError> {
    if json == "[]" {
        return Ok(Metadata::new());
    }
    serde_json::from_str(json).map_err(|_| BAD_ROW)
}

/// The JSON of metadata.
pub(super) fn metadata_json(metadata: &Metadata) -> Result<String, StoreError> {
    serde_json::to_string(metadata).map_err(|_| BAD_ROW)
}

/// Merges changes into metadata.
pub(super) fn merge(metadata: &mut Metadata, changes: &[MetadataChange]) {
    for (name, value) in changes {
        match (metadata.iter_mut().find(|(kept, _)| kept == name), value) {
            (Some((_, kept)), Some(value)) => kept.clone_from(value),
            (None, Some(value)) => metadata.push((name.clone(), value.clone())),
            (_, None) => metadata.retain(|(kept, _)| kept != name),
        }
    }
}
