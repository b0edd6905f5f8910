//! Pictures of pages.
//!
//! No two machines draw a page alike: fonts differ, and with them where lines break and how high they are. So a picture is not
//! compared dot by dot, but as a person would from afar: by the mean colours of a grid of cells, a share of which may differ. That
//! tells a page without its style, in the wrong theme, or with parts missing or somewhere else; it cannot tell one word from another.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Browser;
use super::protocol::{Refusal, Session};

/// Set to 1, pictures are kept as they are now instead of being compared.
const UPDATE: &str = "ODD_UPDATE_PICTURES";
/// Cells of the grid, across and down.
const GRID: (u32, u32) = (32, 20);
/// Difference of a cell's mean colour, in one of its parts of 0 to 255, from which on the cell differs.
const CELL: f64 = 8.0;
/// Share of cells that may differ. Measured on pages of ours: up to 0.02 with other fonts (Liberation, Roboto, Noto, with and without
/// serifs, and set wider), from 0.09 where a panel or the header is missing, 0.5 and more without its style.
const SHARE: f64 = 0.08;

/// Mean colour of each cell, by rows.
const CELLS: &str = r#"
    const [pictures, columns, rows] = arguments;
    const cells = async (base64) => {
        const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
        const picture = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
        const { width, height } = picture;
        const pen = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
        pen.drawImage(picture, 0, 0);
        const dots = pen.getImageData(0, 0, width, height).data;
        const sums = Array.from({ length: columns * rows }, () => [0, 0, 0, 0]);
        for (let y = 0; y < height; y += 1) {
            for (let x = 0; x < width; x += 1) {
                const sum = sums[Math.floor((y * rows) / height) * columns + Math.floor((x * columns) / width)];
                for (let part = 0; part < 3; part += 1) sum[part] += dots[(y * width + x) * 4 + part];
                sum[3] += 1;
            }
        }
        return { size: [width, height], cells: sums.map(([r, g, b, n]) => [r / n, g / n, b / n]) };
    };
    return Promise.all(pictures.map(cells));
"#;

impl Browser {
    /// Compares what the page shows with a picture that was kept, from afar.
    ///
    /// # Panics
    /// Where they differ, or there is no such picture.
    pub async fn assert_looks_like(&self, kept: &Path) {
        let shown = self.told("a picture", take(&self.session).await);
        if std::env::var(UPDATE).is_ok_and(|update| update == "1") {
            std::fs::write(kept, decoded(&shown)).expect("the picture can be kept");
            return;
        }
        let mend = format!("look at both; where the new one is right: {UPDATE}=1 cargo test");
        let Ok(before) = std::fs::read(kept) else {
            panic!("there is no {}; {mend}", kept.display());
        };
        let pictures = json!([[STANDARD.encode(before), shown], GRID.0, GRID.1]);
        let cells = self.run(CELLS, pictures).await;
        let share = differing(&cells[0], &cells[1]);
        assert!(
            share <= SHARE,
            "{}: {:.0} % of the page look unlike {}; {mend}",
            self.name,
            share * 100.0,
            kept.display()
        );
    }
}

/// Share of the cells that differ; all where the pictures are not of one size.
fn differing(one: &Value, other: &Value) -> f64 {
    let all = (GRID.0 * GRID.1) as usize;
    let (Some(cells), Some(others)) = (one["cells"].as_array(), other["cells"].as_array()) else {
        return 1.0;
    };
    if one["size"] != other["size"] || cells.len() != all || others.len() != all {
        return 1.0;
    }
    let parts = |cell: &Value| [0, 1, 2].map(|part| cell[part].as_f64().unwrap_or_default());
    let differs = |(one, other): &(&Value, &Value)| {
        let (one, other) = (parts(one), parts(other));
        one.iter()
            .zip(other)
            .any(|(one, other)| (one - other).abs() > CELL)
    };
    let differing = cells.iter().zip(others).filter(differs).count();
    let fraction = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    fraction(differing) / fraction(all)
}

/// Keeps a picture of what the browser shows where builds are, and returns its path.
pub(super) async fn keep(session: &Session, name: &str) -> Result<PathBuf, Refusal> {
    let picture = take(session).await?;
    // The test binary is three folders below: target/debug/deps/….
    let binary = std::env::current_exe().unwrap_or_default();
    let folder = binary
        .ancestors()
        .nth(3)
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = folder.join("browser");
    let path = folder.join(format!("{name}.png"));
    let kept = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&path, decoded(&picture)));
    if let Err(error) = kept {
        eprintln!("{} cannot be written: {error}", path.display());
    }
    Ok(path)
}

/// A picture of the page, as base64 of PNG.
async fn take(session: &Session) -> Result<String, Refusal> {
    let picture = session.get("screenshot").await?;
    Ok(picture.as_str().unwrap_or_default().to_owned())
}

fn decoded(picture: &str) -> Vec<u8> {
    STANDARD.decode(picture).unwrap_or_default()
}
