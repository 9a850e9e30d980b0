//! Listings, with a delimiter by skip-scan: once a name shows a common prefix,
//! the scan jumps behind everything that shares it. A page costs in proportion
//! to its items, whatever lies under a prefix.

use repono_core::etag::ETag;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::rows;
use crate::error::StoreError;
use crate::model::large::LargeObject;
use crate::model::{ContainerItem, ListItem, ListOrder, ListPage, RollUp};

/// Greater than every name: no byte of UTF-8 is 0xFF.
const BEHIND_ALL: &[u8] = &[0xFF];

/// Lists objects within one snapshot; `None` when there is no such container.
pub(super) fn objects(
    connection: &Connection,
    account: &str,
    container: &str,
    page: &ListPage,
) -> Result<Option<Vec<ListItem>>, StoreError> {
    let snapshot = connection.unchecked_transaction()?;
    let id = snapshot
        .prepare_cached(
            "SELECT c.id FROM account a JOIN container c ON c.account_id = a.id AND c.name = ?2
             WHERE a.name = ?1",
        )?
        .query_row([account.as_bytes(), container.as_bytes()], |row| row.get(0))
        .optional()?;
    let Some(id) = id else { return Ok(None) };
    scan(&snapshot, &OBJECTS, id, page).map(Some)
}

/// Lists containers within one snapshot; `None` when there is no such account.
pub(super) fn containers(
    connection: &Connection,
    account: &str,
    page: &ListPage,
) -> Result<Option<Vec<ContainerItem>>, StoreError> {
    let snapshot = connection.unchecked_transaction()?;
    let id = snapshot
        .prepare_cached("SELECT id FROM account WHERE name = ?1")?
        .query_row([account.as_bytes()], |row| row.get(0))
        .optional()?;
    let Some(id) = id else { return Ok(None) };
    scan(&snapshot, &CONTAINERS, id, page).map(Some)
}

/// What is listed: statements whose first column is the name, and items. The
/// parameters are the scope, the least name, the name behind the last, a limit.
struct Listed<T> {
    ascending: &'static str,
    descending: &'static str,
    item: fn(&Row<'_>) -> Result<T, StoreError>,
    prefix: fn(String) -> T,
}

const OBJECTS: Listed<ListItem> = Listed {
    ascending: "SELECT key, size, etag, content_type, timestamp,
                CASE WHEN substr(metadata, 1, 26) = '[[\"x-static-large-object\",' THEN metadata END FROM object
                WHERE container_id = ?1 AND key >= ?2 AND key < ?3 ORDER BY key LIMIT ?4",
    descending: "SELECT key, size, etag, content_type, timestamp,
                CASE WHEN substr(metadata, 1, 26) = '[[\"x-static-large-object\",' THEN metadata END FROM object
                 WHERE container_id = ?1 AND key >= ?2 AND key < ?3 ORDER BY key DESC LIMIT ?4",
    item: |row| {
        Ok(ListItem::Object {
            key: rows::name(row, 0)?.to_owned(),
            size: rows::unsigned(row.get(1)?)?,
            etag: ETag::from_md5(row.get(2)?),
            content_type: row.get(3)?,
            timestamp: rows::timestamp(row.get(4)?)?,
            large: large(row)?,
        })
    },
    prefix: ListItem::Prefix,
};

const CONTAINERS: Listed<ContainerItem> = Listed {
    ascending: "SELECT name, last_put, object_count, bytes_used FROM container
                WHERE account_id = ?1 AND name >= ?2 AND name < ?3 ORDER BY name LIMIT ?4",
    descending: "SELECT name, last_put, object_count, bytes_used FROM container
                 WHERE account_id = ?1 AND name >= ?2 AND name < ?3 ORDER BY name DESC LIMIT ?4",
    item: |row| {
        Ok(ContainerItem::Container {
            name: rows::name(row, 0)?.to_owned(),
            last_put: rows::timestamp(row.get(1)?)?,
            object_count: rows::unsigned(row.get(2)?)?,
            bytes_used: rows::unsigned(row.get(3)?)?,
        })
    },
    prefix: ContainerItem::Prefix,
};

/// What a manifest stands for. Only the metadata of one come out of the statement:
/// no text within them can look like its beginning, where quotes are escaped.
fn large(row: &Row<'_>) -> Result<Option<LargeObject>, StoreError> {
    let Some(json) = row.get::<_, Option<String>>(5)? else { return Ok(None) };
    Ok(LargeObject::split(&rows::metadata(&json)?).map(|(large, _)| large))
}

/// The names that are still to be looked at: `[low, high)`.
struct Remaining {
    low: Vec<u8>,
    high: Vec<u8>,
}

impl Remaining {
    fn of(page: &ListPage) -> Self {
        let prefix = page.prefix.as_bytes();
        let mut remaining = Self {
            low: match page.roll_up {
                RollUp::Show => prefix.to_vec(),
                RollUp::Leave => [prefix, &[0]].concat(),
            },
            high: if prefix.is_empty() { BEHIND_ALL.to_vec() } else { behind_prefix(prefix) },
        };
        let [marker, end] = [&page.marker, &page.end_marker]
            .map(|name| name.as_deref().filter(|name| !name.is_empty()).map(str::as_bytes));
        let (lowest, highest) = match page.order {
            ListOrder::Ascending => (marker, end),
            ListOrder::Descending => (end, marker),
        };
        if let Some(lowest) = lowest {
            let above = [lowest, &[0]].concat();
            remaining.low = remaining.low.max(above);
        }
        if let Some(highest) = highest {
            remaining.high = remaining.high.min(highest.to_vec());
        }
        remaining
    }

    /// Leaves out everything that begins with a common prefix, and what was
    /// looked at before it.
    fn skip(&mut self, prefix: &str, page: &ListPage) {
        match (page.order, page.roll_up) {
            (ListOrder::Ascending, _) => self.low = behind_prefix(prefix.as_bytes()),
            (ListOrder::Descending, RollUp::Show) => self.high = prefix.as_bytes().to_vec(),
            // The name that is the prefix itself is still to come.
            (ListOrder::Descending, RollUp::Leave) => self.high = [prefix.as_bytes(), &[0]].concat(),
        }
    }
}

/// The least name behind all that begin with a prefix. The last byte of UTF-8 is
/// at most 0xF4, so there is no carry.
fn behind_prefix(prefix: &[u8]) -> Vec<u8> {
    let mut name = prefix.to_vec();
    if let Some(last) = name.last_mut() {
        *last = last.saturating_add(1);
    }
    name
}

fn scan<T>(
    connection: &Connection,
    listed: &Listed<T>,
    scope: i64,
    page: &ListPage,
) -> Result<Vec<T>, StoreError> {
    let limit = page.limit.min(ListPage::LIMIT_MAX);
    let mut items = Vec::with_capacity(limit.min(1024));
    let mut remaining = Remaining::of(page);
    let mut select = connection.prepare_cached(match page.order {
        ListOrder::Ascending => listed.ascending,
        ListOrder::Descending => listed.descending,
    })?;
    while items.len() < limit && remaining.low < remaining.high {
        let left = rows::signed((limit - items.len()) as u64);
        let mut found = select.query(params![scope, remaining.low, remaining.high, left])?;
        let mut common = None;
        while let Some(row) = found.next()? {
            let name = rows::name(row, 0)?;
            common = common_prefix(name, page);
            if common.is_some() {
                break;
            }
            items.push((listed.item)(row)?);
        }
        drop(found);
        let Some(common) = common else { break };
        remaining.skip(&common, page);
        // Swift leaves out the prefix at which the page before ended.
        if page.roll_up == RollUp::Show && page.marker.as_deref() != Some(&*common) {
            items.push((listed.prefix)(common));
        }
    }
    Ok(items)
}

/// What a name is rolled up to: up to the first delimiter behind the prefix.
fn common_prefix(name: &str, page: &ListPage) -> Option<String> {
    let delimiter = page.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty())?;
    let rest = name.strip_prefix(&*page.prefix)?;
    let at = rest.find(delimiter)?;
    if page.roll_up == RollUp::Leave && rest.len() == at + delimiter.len() {
        return None;
    }
    name.get(..page.prefix.len() + at + delimiter.len()).map(str::to_owned)
}
