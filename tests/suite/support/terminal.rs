//! A command run in a terminal, all that it wrote there, and what stands on the screen when it is done.

use crate::support::scrubbed::scrubbed;
use std::path::Path;

/// What a command wrote to a terminal of 80 columns, both streams together; `script` is the terminal.
pub fn in_a_terminal(folder: &Path, line: &str) -> String {
    let mut terminal = scrubbed("script");
    terminal.args(["-qec", line, "/dev/null"]).current_dir(folder);
    terminal.env("TERM", "xterm").env("COLUMNS", "80").env("NO_COLOR", "1");
    String::from_utf8(terminal.output().unwrap().stdout).unwrap()
}

/// What is left on the screen: returns, moves up and erased lines carried out.
pub fn screen(written: &str) -> String {
    let mut rows: Vec<Vec<char>> = vec![Vec::new()];
    let (mut row, mut column) = (0, 0);
    let mut letters = written.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\r' => column = 0,
            '\n' => {
                row += 1;
                rows.resize(rows.len().max(row + 1), Vec::new());
            }
            '\u{1b}' if letters.next_if_eq(&'[').is_some() => {
                let mut number = String::new();
                while let Some(digit) = letters.next_if(|letter| !letter.is_ascii_alphabetic()) {
                    number.push(digit);
                }
                match letters.next() {
                    Some('A') => row -= number.parse().unwrap_or(1),
                    Some('K') if number == "2" => rows[row].clear(),
                    Some('K') => rows[row].truncate(column),
                    Some('m') => {}
                    other => panic!("a command that this terminal does not know: {number}{other:?}"),
                }
            }
            letter => {
                let length = rows[row].len().max(column + 1);
                rows[row].resize(length, ' ');
                rows[row][column] = letter;
                column += 1;
            }
        }
    }
    rows.iter()
        .map(|row| row.iter().collect::<String>().trim_end().to_owned() + "\n")
        .collect::<String>()
        .trim_end()
        .to_owned()
}
