// Photos to try the page with, drawn here.

const WIDTH = 1200;
const HEIGHT = 800;

function sky(context, top, bottom) {
  const gradient = context.createLinearGradient(0, 0, 0, HEIGHT);
  gradient.addColorStop(0, top);
  gradient.addColorStop(1, bottom);
  context.fillStyle = gradient;
  context.fillRect(0, 0, WIDTH, HEIGHT);
}

function shape(context, colour, points) {
  context.fillStyle = colour;
  context.beginPath();
  for (const [x, y] of points) context.lineTo(x, y);
  context.fill();
}

function disc(context, colour, x, y, radius) {
  context.fillStyle = colour;
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
}

function hut(context) {
  sky(context, "#7fb4d8", "#f3dcc0");
  disc(context, "#fff3d6", 930, 170, 60);
  shape(context, "#7d93a8", [[0, 520], [260, 250], [470, 470], [700, 300], [1200, 560], [1200, 800], [0, 800]]);
  shape(context, "#4d7a4f", [[0, 560], [400, 500], [1200, 610], [1200, 800], [0, 800]]);
  shape(context, "#8a3f2c", [[300, 470], [390, 400], [480, 470]]);
  shape(context, "#e8dcc6", [[315, 470], [465, 470], [465, 560], [315, 560]]);
  shape(context, "#5a4636", [[370, 500], [410, 500], [410, 560], [370, 560]]);
}

function boat(context) {
  sky(context, "#2b3d66", "#f2a36b");
  disc(context, "#ffd9a0", 430, 470, 70);
  shape(context, "#1d3557", [[0, 500], [1200, 500], [1200, 800], [0, 800]]);
  for (let line = 0; line < 14; line += 1) {
    const [x, y] = [(line * 337) % 1100, 520 + line * 19];
    shape(context, "#35557d", [[x, y], [x + 110, y], [x + 110, y + 4], [x, y + 4]]);
  }
  shape(context, "#f6f1e7", [[770, 250], [770, 520], [660, 520]]);
  shape(context, "#d9d2c3", [[785, 290], [785, 520], [870, 520]]);
  shape(context, "#6b2f24", [[640, 530], [900, 530], [860, 580], [680, 580]]);
}

function balloons(context) {
  sky(context, "#4f9bd0", "#dcecf3");
  shape(context, "#6f8f57", [[0, 690], [500, 640], [1200, 710], [1200, 800], [0, 800]]);
  for (const [x, y, size, colour] of [[350, 300, 130, "#c8452f"], [820, 210, 80, "#e2a72e"], [980, 430, 45, "#56407c"]]) {
    disc(context, colour, x, y, size);
    shape(context, colour, [[x - size * 0.9, y + size * 0.4], [x + size * 0.9, y + size * 0.4],
      [x + size * 0.2, y + size * 1.35], [x - size * 0.2, y + size * 1.35]]);
    shape(context, "#6a4a2f", [[x - size * 0.17, y + size * 1.5], [x + size * 0.17, y + size * 1.5],
      [x + size * 0.17, y + size * 1.8], [x - size * 0.17, y + size * 1.8]]);
  }
}

/** Three files. */
export const samples = () => Promise.all(Object.entries({ hut, boat, balloons }).map(
  async ([name, draw]) => {
    const canvas = document.createElement("canvas");
    canvas.width = WIDTH;
    canvas.height = HEIGHT;
    draw(canvas.getContext("2d"));
    const blob = await new Promise((resolve) => { canvas.toBlob(resolve, "image/jpeg", 0.9); });
    return new File([blob], `${name}.jpg`, { type: "image/jpeg" });
  },
));
