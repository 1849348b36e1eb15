//! `cutter test` beyond tables and folders: cases in Cedar's own form, what cases reach, properties, mutants and replay.

mod coverage;
mod forms;
mod mutants;
mod properties;
mod replay;
mod said;
