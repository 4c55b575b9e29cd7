import { describe, expect, test } from 'vitest';
import { isPlate, isUnread, normalisePlate } from './plate.ts';

describe('one spelling for a plate', () => {
  test.each([
    ['粤B12345', '粤B12345'],
    ['粤b·12345', '粤B12345'],
    [' 粤B 12345 ', '粤B12345'],
    ['粤B.12345', '粤B12345'],
    ['粤B。12345', '粤B12345'],
    ['粤B•12345', '粤B12345'],
    ['粤B・12345', '粤B12345'],
    ['粤B-12345', '粤B12345'],
    ['粤Ｂ１２３４５', '粤B12345'],
    ['粤B\u300012345', '粤B12345'],
    ['沪ad12345', '沪AD12345'],
    ['WJ京 1234x', 'WJ京1234X'],
    ['粤Z1234港', '粤Z1234港'],
    ['', ''],
    ['···', ''],
  ])('%j is %j', (text, plate) => expect(normalisePlate(text)).toBe(plate));

  test('any order of separators, case and width leads to the same plate, and twice changes nothing', () => {
    const separators = ['', ' ', '·', '.', '•', '\u3000', '-', '\t', '‧'];
    const spellings = [
      (c: string) => c,
      (c: string) => c.toLowerCase(),
      (c: string) => (/[0-9A-Z]/.test(c) ? String.fromCodePoint((c.codePointAt(0) ?? 0) + 0xfee0) : c),
    ];
    let seed = 7;
    const next = (below: number) => {
      seed = (seed * 1103515245 + 12345) % 2 ** 31;
      return seed % below;
    };
    for (const plate of ['京A12345', '粤BD12345', '沪A1234学', '使014578', '黑R5Q8K2']) {
      for (let round = 0; round < 200; round++) {
        const written = [...plate]
          .map((c) => `${separators[next(separators.length)]}${spellings[next(spellings.length)]?.(c)}`)
          .join('');
        expect(normalisePlate(written)).toBe(plate);
      }
    }
  });

  test('any text at all: normalising is idempotent, upper case, NFC and without separators', () => {
    for (let code = 0; code < 0x30000; code += 7) {
      if (code >= 0xd800 && code <= 0xdfff) continue;
      const once = normalisePlate(`a${String.fromCodePoint(code)}\u0301·1`);
      expect(normalisePlate(once)).toBe(once);
      expect(once.normalize('NFC')).toBe(once);
      expect(once).not.toMatch(/[\s.·]/);
    }
  });
});

describe('what is a plate', () => {
  test.each(['_无_', '无牌车', '', ' ', 'unknown', '无 牌', 'NO PLATE'])('%j was not read', (text) => {
    expect(isUnread(normalisePlate(text))).toBe(true);
    expect(isPlate(normalisePlate(text))).toBe(false);
  });

  test.each(["粤B'; DROP TABLE vehicle; --", '粤B12345%', '粤B_2345', 'A', '粤'.repeat(17), '粤B12345\u0000'])(
    '%j is none',
    (text) => expect(isPlate(normalisePlate(text))).toBe(false),
  );

  test.each(['粤B12345', '粤BD12345', 'WJ京1234X', '使014578', 'AB1234'])('%j is one', (text) =>
    expect(isPlate(normalisePlate(text))).toBe(true),
  );
});
