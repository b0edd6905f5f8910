//! Metrics as a monitor reads them: Prometheus text exposition format 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>), strictly.

use std::collections::{BTreeMap, BTreeSet};

/// What one scrape returned.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Exposition {
    /// Every sample, in order.
    pub(super) samples: Vec<Sample>,
}

/// One sample.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sample {
    /// Name of the sample: that of its metric, of a histogram with `_bucket`, `_sum` or `_count` behind it.
    pub(super) name: String,
    /// Its labels.
    pub(super) labels: BTreeMap<String, String>,
    /// Its value.
    pub(super) value: f64,
}

impl Exposition {
    /// Sum of the samples of this name that carry all these labels; 0 where there is none.
    pub(super) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let fits = |sample: &&Sample| {
            sample.name == name
                && labels
                    .iter()
                    .all(|(label, value)| sample.labels.get(*label).map(String::as_str) == Some(value))
        };
        self.samples.iter().filter(fits).map(|sample| sample.value).sum()
    }
}

/// Reads what a role exposes.
///
/// # Errors
/// The first line that is not of the format, or a sample whose metric has no `# TYPE`, or that comes twice.
pub(super) fn parse(text: &str) -> Result<Exposition, String> {
    let mut kinds = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let mut exposition = Exposition::default();
    for (index, line) in text.lines().enumerate() {
        let wrong = |why: &str| format!("line {}: {why}: {line}", index + 1);
        if let Some(comment) = line.strip_prefix('#') {
            if let Some(declaration) = comment.trim_start().strip_prefix("TYPE ") {
                let (name, kind) = declaration.split_once(' ').ok_or_else(|| wrong("no type"))?;
                if kinds.insert(name.to_owned(), kind.to_owned()).is_some() {
                    return Err(wrong("declared twice"));
                }
            }
        } else if !line.trim().is_empty() {
            let sample = sample(line).ok_or_else(|| wrong("no sample"))?;
            if !is_declared(&sample.name, &kinds) {
                return Err(wrong("no # TYPE before it"));
            }
            if !seen.insert((sample.name.clone(), sample.labels.clone())) {
                return Err(wrong("comes twice"));
            }
            exposition.samples.push(sample);
        }
    }
    Ok(exposition)
}

fn is_declared(name: &str, kinds: &BTreeMap<String, String>) -> bool {
    let compound = |suffix: &str| {
        let kind = name.strip_suffix(suffix).and_then(|base| kinds.get(base));
        kind.is_some_and(|kind| kind == "histogram" || kind == "summary")
    };
    kinds.contains_key(name) || ["_bucket", "_sum", "_count"].into_iter().any(compound)
}

/// `name{label="value",…} value [timestamp]`
fn sample(line: &str) -> Option<Sample> {
    let name_end = line.find(['{', ' '])?;
    let (name, rest) = line.split_at(name_end);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(inner) => labels(inner)?,
        None => (BTreeMap::new(), rest),
    };
    let mut fields = rest.split_ascii_whitespace();
    let value = number(fields.next()?)?;
    let timestamp = fields.next().map(str::parse::<i64>);
    let complete = fields.next().is_none() && timestamp.is_none_or(|at| at.is_ok());
    (is_name(name, ":") && complete).then(|| Sample {
        name: name.to_owned(),
        labels,
        value,
    })
}

/// The labels up to the closing brace, and what follows it.
fn labels(mut rest: &str) -> Option<(BTreeMap<String, String>, &str)> {
    let mut labels = BTreeMap::new();
    loop {
        if let Some(after) = rest.strip_prefix('}') {
            return Some((labels, after));
        }
        let (name, after) = rest.split_once("=\"")?;
        let (value, after) = quoted(after)?;
        let twice = labels.insert(name.to_owned(), value).is_some();
        if twice || !is_name(name, "") {
            return None;
        }
        rest = match after.strip_prefix(',') {
            Some(next) => next,
            None if after.starts_with('}') => after,
            None => return None,
        };
    }
}

/// The text up to the closing quote, without its escapes, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match characters.next()?.1 {
                'n' => '\n',
                same @ ('\\' | '"') => same,
                _ => return None,
            }),
            other => value.push(other),
        }
    }
    None
}

fn is_name(name: &str, also: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || also.contains(c);
    name.chars().all(fits) && name.starts_with(|c: char| !c.is_ascii_digit())
}

fn number(text: &str) -> Option<f64> {
    match text {
        "+Inf" => Some(f64::INFINITY),
        "-Inf" => Some(f64::NEG_INFINITY),
        "NaN" => Some(f64::NAN),
        _ => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_format_allows_is_read() {
        let text = "# HELP a Some \"a\".\n# TYPE a counter\na{service=\"x\",t=\"1\"} 3\na{service=\"x\",t=\"q\\\"\\\\\\n,}\"} 4.5 1700000000000\n\n\
            # TYPE h histogram\nh_bucket{le=\"+Inf\"} 2\nh_sum 1e-3\nh_count 2\n# TYPE g gauge\ng NaN\n";
        let read = parse(text).unwrap();
        assert_eq!(read.samples.len(), 6);
        assert_eq!(read.samples[1].labels["t"], "q\"\\\n,}");
        assert_eq!(read.sum("a", &[("service", "x")]), 7.5);
        assert_eq!(read.sum("a", &[("t", "1")]), 3.0);
        assert_eq!(read.sum("b", &[]), 0.0);
    }

    #[test]
    fn what_it_does_not_allow_is_refused() {
        for bad in [
            "a 1\n",
            "# TYPE a counter\na\n",
            "# TYPE a counter\na one\n",
            "# TYPE a counter\na{t=\"1\" 1\n",
            "# TYPE a counter\na{t=\"\\x\"} 1\n",
            "# TYPE a counter\na{1t=\"1\"} 1\n",
            "# TYPE a counter\na{t=\"1\"u=\"2\"} 1\n",
            "# TYPE a counter\na 1 2 3\n",
            "# TYPE a counter\na 1\na 2\n",
            "# TYPE a counter\na_bucket 1\n",
            "# TYPE a counter\n# TYPE a counter\n",
        ] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
