/* The words that two texts share, marked; words that many texts have say nothing. */

const MOST_TEXTS = 0.05; // of them may have a word that is worth a mark

class SharedWords {
  constructor(texts) {
    this.segmenter = typeof Intl.Segmenter === "function"
      ? new Intl.Segmenter(undefined, { granularity: "word" }) : null;
    const seen = new Map();
    for (const text of texts) {
      for (const word of this.words(text)) seen.set(word, (seen.get(word) ?? 0) + 1);
    }
    const most = Math.max(5, MOST_TEXTS * texts.length);
    this.common = new Set([...seen].filter(([, n]) => n > most).map(([word]) => word));
  }

  /** The parts of a text: [text, whether it is a word]. Languages without spaces have words too. */
  parts(text) {
    if (this.segmenter) {
      return Array.from(this.segmenter.segment(text), (each) => [each.segment, each.isWordLike]);
    }
    return text.split(/([\p{L}\p{M}\p{N}]+)/u).map((part, at) => [part, at % 2 === 1]);
  }

  words(text) {
    return new Set(this.parts(text).filter(([, isWord]) => isWord)
      .map(([part]) => part.toLowerCase()));
  }

  /** A text as nodes: its words that `beside` has too are marked, but for the common ones. */
  marked(text, beside) {
    const others = this.words(beside);
    const nodes = [];
    let plain = "";
    for (const [part, isWord] of this.parts(text)) {
      const word = isWord ? part.toLowerCase() : "";
      if (isWord && others.has(word) && !this.common.has(word)) {
        nodes.push(plain, make("mark", {}, part));
        plain = "";
      } else plain += part;
    }
    return [...nodes, plain];
  }
}
