//! A page of a listing, by looking at every name.

use repono_store::model::{ListOrder, ListPage, RollUp};

/// Cuts a page out of all names, which come in ascending order.
pub(super) fn page<T>(mut named: Vec<(String, T)>, page: &ListPage, prefix: fn(String) -> T) -> Vec<T> {
    if page.order == ListOrder::Descending {
        named.reverse();
    }
    let behind = |name: &str, bound: &str| match page.order {
        ListOrder::Ascending => name > bound,
        ListOrder::Descending => name < bound,
    };
    let before = |name: &str, bound: &str| match page.order {
        ListOrder::Ascending => name < bound,
        ListOrder::Descending => name > bound,
    };
    let marker = page.marker.as_deref().filter(|name| !name.is_empty());
    let end = page.end_marker.as_deref().filter(|name| !name.is_empty());
    let delimiter = page.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty());
    let mut items = Vec::new();
    let mut last: Option<String> = None;
    for (name, item) in named {
        let wanted = name.starts_with(&page.prefix)
            && marker.is_none_or(|marker| behind(&name, marker))
            && end.is_none_or(|end| before(&name, end))
            && !(page.roll_up == RollUp::Leave && name == page.prefix);
        if !wanted {
            continue;
        }
        let rest = &name[page.prefix.len()..];
        let common = delimiter
            .and_then(|delimiter| Some((rest.find(delimiter)?, delimiter)))
            .map(|(at, delimiter)| name[..page.prefix.len() + at + delimiter.len()].to_owned());
        match common {
            Some(common) if page.roll_up == RollUp::Leave => {
                if common == name {
                    items.push(item);
                }
            }
            Some(common) if last.as_ref() == Some(&common) || marker == Some(&*common) => {}
            Some(common) => {
                last = Some(common.clone());
                items.push(prefix(common));
            }
            None => items.push(item),
        }
    }
    items.truncate(page.limit);
    items
}
