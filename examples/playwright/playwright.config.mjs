import { defineConfig } from '@playwright/test';

const chromium = process.env.CHROMIUM;

export default defineConfig({
  testDir: 'tests',
  fullyParallel: true,
  // Each has a browser of its own.
  workers: 2,
  reporter: 'list',
  use: {
    browserName: 'chromium',
    // Root may not have Chromium's own sandbox.
    launchOptions: chromium ? { executablePath: chromium, chromiumSandbox: process.getuid() !== 0 } : {},
  },
});
