/*
 * QR codes (ISO/IEC 18004) for the links of authenticator apps: bytes, error correction M. Written
 * here because no package to be had carries an encoder; a test compares it with another one.
 *
 * The grid is an array of rows; a cell is 1 dark, 0 light, and null while it has no value yet.
 */

const versionMax = 20;
/** For each version, from 1: check bytes of a block, and blocks (table 9, level M). */
const checkBytes = [10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26];
const blockCounts = [1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16];
const levelM = 0;

/** @param {string} text @returns {number[][]} rows of 1 (dark) and 0 */
export function qrCode(text) {
  const bytes = [...new TextEncoder().encode(text)];
  let version = 1;
  while (version <= versionMax && bytes.length > room(version)) version += 1;
  if (version > versionMax) throw new RangeError("too long for a QR code");
  const words = interleaved(dataWords(bytes, version), version);
  const drawn = Array.from({ length: 8 }, (_, mask) => draw(version, words, mask));
  return drawn.reduce((best, grid) => (penalty(grid) < penalty(best) ? grid : best));
}

// What is written

/** Bytes of all blocks, checks included: the cells that patterns leave free. */
function wordCount(version) {
  const marks = Math.floor(version / 7) + 2;
  let cells = (16 * version + 128) * version + 64;
  if (version >= 2) cells -= (25 * marks - 10) * marks - 55;
  if (version >= 7) cells -= 36;
  return Math.floor(cells / 8);
}

function dataCount(version) {
  return wordCount(version) - checkBytes[version - 1] * blockCounts[version - 1];
}

/** Bytes of text: besides them there are the mode and the length. */
function room(version) {
  return dataCount(version) - (version < 10 ? 2 : 3);
}

function dataWords(bytes, version) {
  const bits = [];
  const put = (value, count) => {
    for (let bit = count - 1; bit >= 0; bit -= 1) bits.push((value >> bit) & 1);
  };
  put(0b0100, 4);
  put(bytes.length, version < 10 ? 8 : 16);
  for (const byte of bytes) put(byte, 8);
  const total = dataCount(version);
  put(0, Math.min(4, total * 8 - bits.length));
  put(0, (8 - (bits.length % 8)) % 8);
  for (let pad = 0xec; bits.length < total * 8; pad ^= 0xec ^ 0x11) put(pad, 8);
  return Array.from({ length: total }, (_, index) =>
    bits.slice(index * 8, index * 8 + 8).reduce((word, bit) => word * 2 + bit, 0),
  );
}

/** A product in GF(256) modulo x^8 + x^4 + x^3 + x^2 + 1. */
function product(a, b) {
  let result = 0;
  for (let bit = 7; bit >= 0; bit -= 1) {
    result = (result << 1) ^ ((result >> 7) * 0x11d);
    result ^= ((b >> bit) & 1) * a;
  }
  return result;
}

/** Reed-Solomon: the remainder of the words divided by the product of (x - 2^i). */
function checks(words, count) {
  const divisor = Array(count).fill(0);
  divisor[count - 1] = 1;
  let root = 1;
  for (let step = 0; step < count; step += 1) {
    for (let index = 0; index < count; index += 1) {
      divisor[index] = product(divisor[index], root) ^ (divisor[index + 1] ?? 0);
    }
    root = product(root, 2);
  }
  const rest = Array(count).fill(0);
  for (const word of words) {
    const factor = word ^ rest.shift();
    rest.push(0);
    divisor.forEach((value, index) => {
      rest[index] ^= product(value, factor);
    });
  }
  return rest;
}

/** The blocks, column by column; the later ones may be a byte longer. */
function interleaved(data, version) {
  const count = blockCounts[version - 1];
  const short = Math.floor(data.length / count);
  const longOnes = data.length % count;
  const blocks = [];
  let start = 0;
  for (let index = 0; index < count; index += 1) {
    const length = short + (index >= count - longOnes ? 1 : 0);
    blocks.push(data.slice(start, start + length));
    start += length;
  }
  const columns = (rows, length) =>
    Array.from({ length }, (_, index) => rows.map((row) => row[index])).flat();
  const checked = blocks.map((block) => checks(block, checkBytes[version - 1]));
  return [
    ...columns(blocks, short + 1).filter((word) => word !== undefined),
    ...columns(checked, checkBytes[version - 1]),
  ];
}

// Where it stands

function draw(version, words, mask) {
  const size = version * 4 + 17;
  const grid = Array.from({ length: size }, () => Array(size).fill(null));
  drawFinders(grid, size);
  drawAlignment(grid, version, size);
  for (let index = 8; index < size - 8; index += 1) {
    grid[6][index] ??= 1 - (index % 2);
    grid[index][6] ??= 1 - (index % 2);
  }
  drawFormat(grid, size, mask);
  if (version >= 7) drawVersion(grid, version, size);
  drawWords(grid, size, words, mask);
  return grid;
}

function drawFinders(grid, size) {
  for (const [x, y] of [
    [3, 3],
    [size - 4, 3],
    [3, size - 4],
  ]) {
    for (let dy = -4; dy <= 4; dy += 1) {
      for (let dx = -4; dx <= 4; dx += 1) {
        const away = Math.max(Math.abs(dx), Math.abs(dy));
        if (grid[y + dy]?.[x + dx] !== undefined)
          grid[y + dy][x + dx] = away !== 2 && away !== 4 ? 1 : 0;
      }
    }
  }
}

function drawAlignment(grid, version, size) {
  if (version === 1) return;
  const count = Math.floor(version / 7) + 2;
  const step = Math.ceil((size - 13) / (count * 2 - 2)) * 2;
  const places = [
    6,
    ...Array.from({ length: count - 1 }, (_, index) => size - 7 - index * step).reverse(),
  ];
  const last = places.at(-1);
  for (const y of places) {
    for (const x of places) {
      const isFinder = (x === 6 && y === 6) || (x === 6 && y === last) || (x === last && y === 6);
      if (isFinder) continue;
      for (let dy = -2; dy <= 2; dy += 1) {
        for (let dx = -2; dx <= 2; dx += 1) {
          grid[y + dy][x + dx] = Math.max(Math.abs(dx), Math.abs(dy)) === 1 ? 0 : 1;
        }
      }
    }
  }
}

/** Bits with their checks behind them: the remainder of a division of polynomials. */
function withChecks(value, count, divisor) {
  let rest = value;
  for (let step = 0; step < count; step += 1)
    rest = (rest << 1) ^ ((rest >> (count - 1)) * divisor);
  return (value << count) | rest;
}

function drawFormat(grid, size, mask) {
  const bits = withChecks((levelM << 3) | mask, 10, 0x537) ^ 0x5412;
  const bit = (index) => (bits >> index) & 1;
  for (let index = 0; index < 15; index += 1) {
    // Beside the first finder, past the timing patterns; and once more beside the two others.
    if (index < 8) grid[index < 6 ? index : index + 1][8] = bit(index);
    else grid[8][index < 9 ? 15 - index : 14 - index] = bit(index);
    if (index < 8) grid[8][size - 1 - index] = bit(index);
    else grid[size - 15 + index][8] = bit(index);
  }
  grid[size - 8][8] = 1;
}

function drawVersion(grid, version, size) {
  const bits = withChecks(version, 12, 0x1f25);
  for (let index = 0; index < 18; index += 1) {
    const far = size - 11 + (index % 3);
    const near = Math.floor(index / 3);
    grid[near][far] = (bits >> index) & 1;
    grid[far][near] = (bits >> index) & 1;
  }
}

const masks = [
  (x, y) => (x + y) % 2,
  (_, y) => y % 2,
  (x) => x % 3,
  (x, y) => (x + y) % 3,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2,
  (x, y) => ((x * y) % 2) + ((x * y) % 3),
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2,
];

/** Two columns at a time from the right, up and down by turns, past what stands there already. */
function drawWords(grid, size, words, mask) {
  let next = 0;
  for (let pair = 0, right = size - 1; right >= 1; right -= 2, pair += 1) {
    if (right === 6) right = 5;
    for (let step = 0; step < size; step += 1) {
      const y = pair % 2 === 0 ? size - 1 - step : step;
      for (const x of [right, right - 1]) {
        if (grid[y][x] !== null) continue;
        const bit = next < words.length * 8 ? (words[next >> 3] >> (7 - (next & 7))) & 1 : 0;
        grid[y][x] = bit ^ (masks[mask](x, y) === 0 ? 1 : 0);
        next += 1;
      }
    }
  }
}

/** How hard a grid is to read: runs, squares, what looks like a finder, too much of one colour. */
function penalty(grid) {
  const size = grid.length;
  const columns = grid.map((_, x) => grid.map((row) => row[x]));
  let sum = 0;
  for (const line of [...grid, ...columns]) {
    const text = line.join("");
    for (const [run] of text.matchAll(/0{5,}|1{5,}/g)) sum += run.length - 2;
    sum += 40 * (text.match(/(?=10111010000|00001011101)/g)?.length ?? 0);
  }
  for (let y = 1; y < size; y += 1) {
    for (let x = 1; x < size; x += 1) {
      const cell = grid[y][x];
      if (cell === grid[y][x - 1] && cell === grid[y - 1][x] && cell === grid[y - 1][x - 1])
        sum += 3;
    }
  }
  const dark = grid.flat().reduce((count, cell) => count + cell, 0);
  return sum + 10 * Math.floor(Math.abs((dark * 100) / (size * size) - 50) / 5);
}
