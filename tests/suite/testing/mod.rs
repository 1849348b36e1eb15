//! `cutter test` beyond tables and folders: cases in Cedar's own form, what cases reach, and properties.

mod coverage;
mod forms;
mod properties;
