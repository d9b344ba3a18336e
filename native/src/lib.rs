//! The compiled fold of Funnelwatch: what `streams` computes for ordinary events, in one step per chunk.
//!
//! `streams` is the definition. Whatever this crate is not sure of it leaves to it, entity by entity.

pub mod buckets;
pub mod calendar;
pub mod call;
pub mod cells;
pub mod chunk;
pub mod deal;
pub mod derive;
pub mod event;
pub mod fold;
pub mod json;
pub mod lead;
pub mod names;
pub mod pack;
pub mod packed;
pub mod packing;
pub mod row;
pub mod sums;
pub mod told;

use std::collections::HashMap;
use std::panic::catch_unwind;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::cells::{AllDays, Cells};
use crate::chunk::{read_link, Chunk};
use crate::derive::{Derivation, TakenRows};
use crate::event::MEMBERS;
use crate::fold::{Fold, Folded};
use crate::packing::Packer;

/// The links of some records by the kind they are for, `lead` or `deal`, and the records that Python has to read.
#[pyfunction]
fn read_links(py: Python<'_>, records: &Bound<'_, PyAny>) -> PyResult<(HashMap<&'static str, Chunk>, Vec<usize>)> {
    let mut chunks: HashMap<&'static str, Chunk> = HashMap::new();
    let mut others = Vec::new();
    for (number, record) in records.try_iter()?.enumerate() {
        let value = record?.getattr(intern!(py, "value"))?;
        let value = value.cast::<PyBytes>().ok().map(|value| value.as_bytes());
        let found = value.and_then(|value| {
            catch_unwind(|| read_link(value))
                .ok()
                .flatten()
                .map(|link| (value, link))
        });
        let kind = match found {
            Some((_, ("lead", _, _))) => "lead",
            Some((_, ("deal", _, _))) => "deal",
            _ => {
                others.push(number);
                continue;
            }
        };
        if let Some((value, (_, key, _))) = found {
            let chunk = chunks
                .entry(kind)
                .or_insert_with(|| Chunk::new(records.clone().unbind()));
            chunk.put_link(py, value, key, number);
        }
    }
    Ok((chunks, others))
}

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    fill(module)
}

/// Put everything into a module.
pub fn fill(module: &Bound<'_, PyModule>) -> PyResult<()> {
    std::panic::set_hook(Box::new(|_| ())); // what is left to Python is no news, and would quote what was sent
    module.add("INTERFACE", 5)?;
    module.add("FOLD_VERSION", 2)?;
    module.add("MEMBERS", HashMap::from(MEMBERS))?;
    module.add("PACKER_INTERFACE", 1)?;
    module.add_class::<Chunk>()?;
    module.add_class::<Fold>()?;
    module.add_class::<Folded>()?;
    module.add_class::<AllDays>()?;
    module.add_class::<Cells>()?;
    module.add_class::<Derivation>()?;
    module.add_class::<TakenRows>()?;
    module.add_class::<Packer>()?;
    module.add_function(wrap_pyfunction!(read_links, module)?)?;
    Ok(())
}
