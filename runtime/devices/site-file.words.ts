import type { ProblemWords } from './problem.words.ts';

/** What is wrong with a site file as a file; what is wrong with its entries is in problem.words.ts. */
export const siteFileWords = {
  fileTooLarge: {
    what: { zh: '文件有 {size} MiB，最多 {limit} MiB', en: 'the file has {size} MiB, at most {limit} MiB' },
    remedy: { zh: '拆成几个文件，分次导入', en: 'split it and import one after the other' },
  },
  notUtf8: {
    what: { zh: '文件不是 UTF-8 编码', en: 'the file is not UTF-8' },
    remedy: { zh: '用编辑器另存为 UTF-8（不要用 GBK 或 ANSI）', en: 'save it as UTF-8, not GBK or ANSI' },
  },
  emptyFile: {
    what: { zh: '文件是空的', en: 'the file is empty' },
    remedy: { zh: '参照 runtime/demo/demo-site.yaml 编写', en: 'see runtime/demo/demo-site.yaml for how one looks' },
  },
  notAMapping: {
    what: { zh: '文件的最外层不是“键: 值”', en: 'the file does not consist of `key: value`' },
    remedy: { zh: '最外层写 site、zones、devices 等', en: 'it begins with site, zones, devices and so on' },
  },
  duplicateKey: {
    what: { zh: '键“{key}”写了两次，第一次在第 {line} 行', en: 'key `{key}` is there twice, first in line {line}' },
    remedy: { zh: '合并或删掉一个', en: 'merge them or delete one' },
  },
  repeatedAt: {
    what: { zh: '“{id}”出现了两次，第一次在第 {line} 行', en: '`{id}` is there twice, first in line {line}' },
    remedy: { zh: '改编号或删掉一个', en: 'change the id or delete one' },
  },
  reference: {
    what: { zh: '用了 YAML 引用（* 或 <<）', en: 'a YAML reference (* or <<)' },
    remedy: { zh: '把内容直接写出来', en: 'write the content out' },
  },
  tag: {
    what: { zh: '用了 YAML 标签 {tag}', en: 'a YAML tag {tag}' },
    remedy: { zh: '删掉标签，文字加引号即可', en: 'leave it out; text only needs quotes' },
  },
  keyNotText: {
    what: { zh: '这里的键不是文字', en: 'this key is not text' },
    remedy: { zh: '写成“键: 值”', en: 'write `key: value`' },
  },
  tooDeep: {
    what: { zh: '嵌套太深，最多 {limit} 层', en: 'nested too deeply, at most {limit} levels' },
    remedy: { zh: '检查缩进和括号', en: 'check indentation and brackets' },
  },
  tab: {
    what: { zh: '缩进用了 Tab 键', en: 'a tab in the indentation' },
    remedy: { zh: '缩进只用空格', en: 'indent with spaces only' },
  },
  quote: {
    what: { zh: '这里少了引号、括号或“-”', en: 'a quote, bracket or `-` is missing here' },
    remedy: {
      zh: '检查这一行和上一行的缩进与引号',
      en: 'check quotes and indentation of this line and the one before',
    },
  },
  indent: {
    what: { zh: '缩进不对，或一行里有两个“: ”', en: 'the indentation is wrong, or a line has `: ` twice' },
    remedy: { zh: '同级的键对齐；含“: ”的文字加引号', en: 'align keys of one level; quote text that holds `: `' },
  },
  documents: {
    what: { zh: '文件里有多个“---”段', en: 'the file has several documents (`---`)' },
    remedy: { zh: '只保留一段', en: 'keep one' },
  },
  reserved: {
    what: { zh: '文字不能以这个符号开头', en: 'text cannot begin with this character' },
    remedy: { zh: '给文字加引号', en: 'put quotes around the text' },
  },
  syntax: {
    what: { zh: '这里不是正确的 YAML', en: 'this is not YAML: {detail}' },
    remedy: { zh: '检查这一行的缩进、引号和冒号', en: 'check indentation, quotes and colons of this line' },
  },
} as const satisfies Record<string, ProblemWords>;
