//! As much of BSON as commands and their answers need. <https://bsonspec.org/spec.html>

/// A value of a document.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Double(f64),
    Text(String),
    Binary(Vec<u8>),
    Bool(bool),
    Int(i32),
}

/// Fields in their order. Those of other kinds are passed over when read.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Document(Vec<(String, Value)>);

impl Document {
    pub(crate) fn with(mut self, name: &str, value: Value) -> Self {
        self.0.push((name.to_owned(), value));
        self
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0
            .iter()
            .find(|(field, _)| field == name)
            .map(|(_, value)| value)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        for (name, value) in &self.0 {
            body.push(match value {
                Value::Double(_) => 0x01,
                Value::Text(_) => 0x02,
                Value::Binary(_) => 0x05,
                Value::Bool(_) => 0x08,
                Value::Int(_) => 0x10,
            });
            body.extend(name.as_bytes());
            body.push(0);
            match value {
                Value::Double(number) => body.extend(number.to_le_bytes()),
                Value::Text(text) => {
                    body.extend(length(text.len() + 1));
                    body.extend(text.as_bytes());
                    body.push(0);
                }
                Value::Binary(bytes) => {
                    body.extend(length(bytes.len()));
                    body.push(0);
                    body.extend(bytes);
                }
                Value::Bool(truth) => body.push(u8::from(*truth)),
                Value::Int(number) => body.extend(number.to_le_bytes()),
            }
        }
        let mut document = length(body.len() + 5).to_vec();
        document.extend(body);
        document.push(0);
        document
    }

    /// None where the bytes are no document.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let size = usize::try_from(int(bytes.get(..4)?)?).ok()?;
        let mut rest = bytes.get(4..size)?;
        let mut fields = Vec::new();
        loop {
            let (&kind, after) = rest.split_first()?;
            if kind == 0 {
                return Some(Self(fields));
            }
            let end = after.iter().position(|&byte| byte == 0)?;
            let name = String::from_utf8_lossy(&after[..end]).into_owned();
            let content = &after[end + 1..];
            let size = size_of(kind, content)?;
            let bytes = content.get(..size)?;
            if let Some(value) = value(kind, bytes) {
                fields.push((name, value));
            }
            rest = &content[size..];
        }
    }
}

/// Commands are short.
fn length(bytes: usize) -> [u8; 4] {
    i32::try_from(bytes).unwrap_or(i32::MAX).to_le_bytes()
}

fn int(bytes: &[u8]) -> Option<i32> {
    bytes.try_into().ok().map(i32::from_le_bytes)
}

/// Bytes that a value of this kind takes.
fn size_of(kind: u8, content: &[u8]) -> Option<usize> {
    let told = || usize::try_from(int(content.get(..4)?)?).ok();
    match kind {
        0x01 | 0x09 | 0x11 | 0x12 => Some(8),
        0x02 => Some(told()? + 4),
        0x03 | 0x04 => told(),
        0x05 => Some(told()? + 5),
        0x07 => Some(12),
        0x08 => Some(1),
        0x0A => Some(0),
        0x10 => Some(4),
        0x13 => Some(16),
        _ => None,
    }
}

fn value(kind: u8, bytes: &[u8]) -> Option<Value> {
    match kind {
        0x01 => Some(Value::Double(f64::from_le_bytes(bytes.try_into().ok()?))),
        0x02 => {
            let text = bytes.get(4..bytes.len().checked_sub(1)?)?;
            Some(Value::Text(String::from_utf8_lossy(text).into_owned()))
        }
        0x05 => Some(Value::Binary(bytes.get(5..)?.to_vec())),
        0x08 => Some(Value::Bool(bytes == [1])),
        0x10 => Some(Value::Int(int(bytes)?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_encoded_as_in_the_specification() {
        // The first example on bsonspec.org.
        let document = Document::default().with("hello", Value::Text("world".to_owned()));
        let expected = b"\x16\0\0\0\x02hello\0\x06\0\0\0world\0\0";
        assert_eq!(document.encode(), expected);
    }

    #[test]
    fn every_kind_is_read_as_it_was_written() {
        let document = Document::default()
            .with("ok", Value::Double(1.0))
            .with("text", Value::Text("ä".to_owned()))
            .with("bytes", Value::Binary(vec![0, 1]))
            .with("truth", Value::Bool(true))
            .with("number", Value::Int(-7));
        assert_eq!(Document::decode(&document.encode()), Some(document));
    }

    #[test]
    fn other_kinds_are_passed_over_and_half_documents_refused() {
        // {"at": a date, "in": {}, "n": 1}
        let bytes = b"\x27\0\0\0\x09at\0\x01\0\0\0\0\0\0\0\x03in\0\x05\0\0\0\0\x10n\0\x01\0\0\0\0";
        let mut bytes = bytes.to_vec();
        bytes[0] = u8::try_from(bytes.len()).unwrap();
        let document = Document::decode(&bytes).unwrap();
        assert_eq!(document, Document::default().with("n", Value::Int(1)));
        for end in 0..bytes.len() {
            assert_eq!(Document::decode(&bytes[..end]), None, "{end} bytes");
        }
    }
}
