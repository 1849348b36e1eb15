//! The forms in which a value may be written: each of its letters as it is or as JSON, URLs, HTML, a shell, SQL or a programming
//! language write it, and the whole in base64 or hexadecimal digits, on one line or broken into several.

use crate::db::password_of;
use base64ct::{Base64, Base64Unpadded, Base64Url, Base64UrlUnpadded, Encoding as _};

/// A pattern of every form of a value; of a connection string, of its password as well.
pub fn pattern(value: &str) -> String {
    let mut plain = vec![value.to_owned()];
    plain.extend(password_of(value));
    let mut forms = Vec::new();
    for value in plain.into_iter().filter(|value| !value.is_empty()) {
        forms.push(value.chars().map(letter).collect());
        if value.len() >= SHORTEST_CORE {
            let digits: Vec<String> = value.bytes().map(|byte| format!("{byte:02x}")).collect();
            forms.push(format!("(?i-u:{})", digits.join(BETWEEN_BYTES)));
        }
        let cores = base64_cores(value.as_bytes());
        let digits = |core: &String| core.chars().map(|digit| regex::escape(&digit.to_string())).collect::<Vec<_>>();
        forms.extend(cores.iter().map(|core| digits(core).join(BREAK)));
    }
    forms.join("|")
}

/// Every way to write one letter.
fn letter(letter: char) -> String {
    let mut utf8 = [0; 4];
    let bytes = letter.encode_utf8(&mut utf8).as_bytes().to_vec();
    let each = |write: &dyn Fn(u8) -> String| bytes.iter().map(|byte| write(*byte)).collect::<String>();
    let number = u32::from(letter);
    let mut units = [0; 2];
    let units = letter.encode_utf16(&mut units);
    let mut ways = vec![
        // As it is, with backslashes before it where something else quotes it once or more.
        format!(r"\\{{0,7}}{}", regex::escape(&letter.to_string())),
        // RFC 8259, section 7.
        units.iter().map(|unit| format!(r"\\+u(?i:{unit:04x})")).collect(),
        // RFC 3986, section 2.1; encoded twice, too.
        each(&|byte| format!("%(?:25)*(?i:{byte:02x})")),
        // HTML, section 13.5.
        format!("&(?:amp;)?#(?:0*{number}|[xX]0*(?i:{number:x}));"),
        // Escapes of C and what came after it.
        each(&|byte| format!(r"\\+(?:x(?i:{byte:02x})|{byte:03o})")),
        format!(r"\\+(?:x(?i:{number:02x})|u\{{0*(?i:{number:x})\}}|U(?i:{number:08x}))"),
    ];
    let known = NAMED.iter().filter(|(known, _)| *known == letter);
    ways.extend(known.map(|(_, written)| (*written).to_owned()));
    format!("(?:{})", ways.join("|"))
}

/// Letters with a spelling of their own: of JSON and C, of forms in URLs, of HTML, of SQL and of shells.
const NAMED: [(char, &str); 20] = [
    ('\n', r"\\+n"),
    ('\n', r"\r\n"),
    ('\r', r"\\+r"),
    ('\t', r"\\+t"),
    ('\u{8}', r"\\+b"),
    ('\u{c}', r"\\+f"),
    (' ', r"\+"),
    (' ', "&nbsp;"),
    ('&', "&(?:amp;)+"),
    ('<', "&(?:amp;)?lt;"),
    ('>', "&(?:amp;)?gt;"),
    ('"', "&(?:amp;)?quot;"),
    ('"', "\"\""),
    ('\'', "&(?:amp;)?apos;"),
    ('\'', "''"),
    ('\'', r"'\\+''"),
    ('\'', "'\"'\"'"),
    ('`', "``"),
    ('$', r"\$\$"),
    ('%', "%%"),
];

/// What of a value stays the same in base64 whatever stands around it: its whole groups, at each of the three offsets.
fn base64_cores(value: &[u8]) -> Vec<String> {
    let mut cores = Vec::new();
    for skipped in 0..3_usize {
        let whole = value.get(skipped..).map(|rest| rest.len() / 3 * 3).unwrap_or_default();
        let core = value.get(skipped..skipped + whole).unwrap_or_default();
        // A shorter one would be found in texts that have nothing to do with it.
        if core.len() >= SHORTEST_CORE {
            cores.extend([Base64Unpadded::encode_string(core), Base64UrlUnpadded::encode_string(core)]);
        }
    }
    cores.extend([Base64::encode_string(value), Base64Url::encode_string(value)]);
    cores
}

const SHORTEST_CORE: usize = 6;

/// Where a long text of digits is broken, and what begins its next line.
const BREAK: &str = r"(?:\r?\n[ \t]{0,8})?";

/// What programs that show bytes put between them; they break lines after whole ones.
const BETWEEN_BYTES: &str = r"(?:[ :]|:?\r?\n[ \t]{0,8})?";
