// Which words differ between two answers as they are shown.

const MOST_CELLS = 2000000; // of the table of common subsequences; beyond it words are only looked up

function differences(left, right) {
  let from = 0;
  while (from < left.length && from < right.length && left[from] === right[from]) from++;
  let leftEnd = left.length, rightEnd = right.length;
  while (leftEnd > from && rightEnd > from && left[leftEnd - 1] === right[rightEnd - 1]) { leftEnd--; rightEnd--; }
  const a = left.slice(from, leftEnd), b = right.slice(from, rightEnd);
  const [onlyA, onlyB] = a.length * b.length > MOST_CELLS ? missing(a, b) : notCommon(a, b);
  return [onlyA.map((i) => i + from), onlyB.map((i) => i + from)].map((found) => new Set(found));
}

function missing(a, b) {
  const inA = new Set(a), inB = new Set(b);
  const absent = (words, other) => words.flatMap((word, i) => (other.has(word) ? [] : [i]));
  return [absent(a, inB), absent(b, inA)];
}

function notCommon(a, b) {
  const width = b.length + 1;
  const longest = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      longest[i * width + j] = a[i] === b[j]
        ? longest[(i + 1) * width + j + 1] + 1
        : Math.max(longest[(i + 1) * width + j], longest[i * width + j + 1]);
    }
  }
  const onlyA = [], onlyB = [];
  let i = 0, j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) { i++; j++; }
    else if (j === b.length || (i < a.length && longest[(i + 1) * width + j] >= longest[i * width + j + 1])) onlyA.push(i++);
    else onlyB.push(j++);
  }
  return [onlyA, onlyB];
}

const WORD = /[\p{L}\p{N}]+(?:['’-][\p{L}\p{N}]+)*|[^\s\p{L}\p{N}]/gu;

function wordsIn(root) {
  const found = [];
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    for (const match of walker.currentNode.data.matchAll(WORD)) {
      found.push({ node: walker.currentNode, start: match.index, end: match.index + match[0].length, text: match[0].toLowerCase() });
    }
  }
  return found;
}

function markDifferences(leftRoot, rightRoot) {
  const sides = [wordsIn(leftRoot), wordsIn(rightRoot)];
  const differing = differences(...sides.map((words) => words.map((word) => word.text)));
  sides.forEach((words, side) => {
    // From the end, so that what comes before a mark stays where it was.
    for (let i = words.length - 1; i >= 0; i--) {
      if (!differing[side].has(i)) continue;
      const last = words[i];
      while (differing[side].has(i - 1) && words[i - 1].node === last.node) i--;
      const range = document.createRange();
      range.setStart(last.node, words[i].start);
      range.setEnd(last.node, last.end);
      range.surroundContents(document.createElement("mark"));
    }
  });
}
