import { expect, test } from './shop.mjs';

for (const clicks of [0, 1, 2, 3, 4, 5]) {
  test(`the page counts to ${clicks}`, async ({ page, shop }, info) => {
    await page.goto(shop);
    await expect(page).toHaveTitle(info.testId);
    const button = page.getByRole('button');
    for (let click = 0; click < clicks; click += 1) await button.click();
    await expect(button).toHaveText(String(clicks));
  });
}
