//! Objects over metadata and blobs.
//!
//! | module | holds |
//! |---|---|
//! | [`store`] | [`store::Store`]: the two engines together, and the order of a PUT |
//! | [`upload`] | [`upload::Upload`]: a body on its way in |
//! | [`collect`] | removal of garbage and orphans |
//! | [`meta`] | the metadata engine, SQLite behind it |
//! | [`blob`] | the blob engine, a local directory behind it |
//! | [`model`] | what is kept and what is answered |
//! | [`rights`] | who is who and may do what, as the rows say |
//! | [`space`] | the reserve of free space |
//! | [`error`] | why something was not done |

pub mod blob;
pub mod collect;
pub mod error;
pub mod meta;
pub mod model;
pub mod rights;
pub mod space;
pub mod store;
mod superblock;
pub mod upload;
