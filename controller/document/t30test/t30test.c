/* Sends a fax TIFF through a real T.30 engine (Debian's libspandsp) to a second
 * one in memory, and compares what arrives with what was sent, pixel by pixel.
 *
 *   t30test SENT.tiff RECEIVED.tiff audio|t38 ecm|plain v17|v29|v27ter mmr|mr|mh superfine|fine|standard
 *
 * The sender can do everything; the receiver has no faster modem, no better
 * compression and no higher resolution than those named.
 *
 * Exit status 0 only if both sides ended with T30_ERR_OK and every pixel is the
 * same. Prints one line on what happened; the seconds are the call's, not ours.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tiffio.h>

#define SPANDSP_EXPOSE_INTERNAL_STRUCTURES
#include <spandsp.h>

enum { SAMPLES = 160, LIMIT = 30 * 60 * 50 }; /* 20 ms at 8000/s; half an hour */

struct side {
    fax_state_t *fax;
    t38_terminal_state_t *t38;
    t30_state_t *t30;
    t38_core_state_t *peer; /* gets the T.38 packets */
    uint16_t sequence;
    bool ended;
    int result;
    t30_stats_t stats;
};

static void phase_e(t30_state_t *t30, void *user, int result)
{
    struct side *side = user;
    side->ended = true;
    side->result = result;
    t30_get_transfer_statistics(t30, &side->stats);
}

static int packet(t38_core_state_t *core, void *user, const uint8_t *buf, int len, int count)
{
    struct side *side = user;
    (void)core;
    (void)count; /* copies against loss: memory loses nothing */
    return t38_core_rx_ifp_packet(side->peer, buf, len, side->sequence++);
}

static void configure(struct side *side, int ecm, int modems, int compressions, int resolutions)
{
    t30_set_ecm_capability(side->t30, ecm);
    t30_set_supported_compressions(side->t30, compressions);
    t30_set_supported_resolutions(side->t30, resolutions);
    t30_set_supported_image_sizes(side->t30, T30_SUPPORT_US_LETTER_LENGTH | T30_SUPPORT_US_LEGAL_LENGTH | T30_SUPPORT_UNLIMITED_LENGTH
                                                 | T30_SUPPORT_215MM_WIDTH);
    t30_set_supported_modems(side->t30, modems);
    t30_set_phase_e_handler(side->t30, phase_e, side);
}

/* Counts the rows in which two pages differ; a missing row differs. */
static int differences(TIFF *a, TIFF *b, int *rows)
{
    TIFF *in[2] = {a, b};
    uint32_t width[2] = {0, 0}, length[2] = {0, 0};
    uint16_t photometric[2] = {0, 0};
    for (int i = 0; i < 2; i++) {
        TIFFGetField(in[i], TIFFTAG_IMAGEWIDTH, &width[i]);
        TIFFGetField(in[i], TIFFTAG_IMAGELENGTH, &length[i]);
        TIFFGetField(in[i], TIFFTAG_PHOTOMETRIC, &photometric[i]);
    }
    *rows = (int)length[0];
    if (width[0] != width[1] || width[0] != 1728)
        return (int)length[0];
    uint8_t line[2][1728 / 8];
    int differ = abs((int)length[0] - (int)length[1]);
    for (uint32_t y = 0; y < length[0] && y < length[1]; y++) {
        for (int i = 0; i < 2; i++) {
            if (TIFFReadScanline(in[i], line[i], y, 0) < 0)
                return (int)length[0];
            if (photometric[i] == PHOTOMETRIC_MINISBLACK)
                for (size_t x = 0; x < sizeof line[i]; x++)
                    line[i][x] = (uint8_t)~line[i][x];
        }
        differ += memcmp(line[0], line[1], sizeof line[0]) != 0;
    }
    return differ;
}

int main(int argc, char **argv)
{
    if (argc != 8) {
        fprintf(stderr, "usage: t30test SENT.tiff RECEIVED.tiff audio|t38 ecm|plain v17|v29|v27ter mmr|mr|mh superfine|fine|standard\n");
        return 2;
    }
    int modems = T30_SUPPORT_V27TER, compressions = T30_SUPPORT_T4_1D_COMPRESSION;
    if (strcmp(argv[5], "v27ter") != 0)
        modems |= T30_SUPPORT_V29;
    if (strcmp(argv[5], "v17") == 0)
        modems |= T30_SUPPORT_V17;
    if (strcmp(argv[6], "mh") != 0)
        compressions |= T30_SUPPORT_T4_2D_COMPRESSION;
    if (strcmp(argv[6], "mmr") == 0)
        compressions |= T30_SUPPORT_T6_COMPRESSION;
    /* The best is what FreeSWITCH's mod_spandsp offers. */
    const int fine = T30_SUPPORT_STANDARD_RESOLUTION | T30_SUPPORT_FINE_RESOLUTION | T30_SUPPORT_R8_RESOLUTION;
    const int superfine = fine | T30_SUPPORT_SUPERFINE_RESOLUTION | T30_SUPPORT_R16_RESOLUTION;
    int resolutions = T30_SUPPORT_STANDARD_RESOLUTION | T30_SUPPORT_R8_RESOLUTION;
    if (strcmp(argv[7], "standard") != 0)
        resolutions = strcmp(argv[7], "fine") == 0 ? fine : superfine;
    int t38 = strcmp(argv[3], "t38") == 0, ecm = strcmp(argv[4], "ecm") == 0;
    struct side side[2] = {0}; /* the sender, the receiver */
    for (int i = 0; i < 2; i++) {
        if (t38) {
            side[i].t38 = t38_terminal_init(NULL, i == 0, packet, &side[i]);
            side[i].t30 = t38_terminal_get_t30_state(side[i].t38);
        } else {
            side[i].fax = fax_init(NULL, i == 0);
            fax_set_transmit_on_idle(side[i].fax, 1);
            side[i].t30 = fax_get_t30_state(side[i].fax);
        }
        if (i == 0)
            configure(&side[i], 1, T30_SUPPORT_V29 | T30_SUPPORT_V27TER | T30_SUPPORT_V17,
                      T30_SUPPORT_T4_1D_COMPRESSION | T30_SUPPORT_T4_2D_COMPRESSION | T30_SUPPORT_T6_COMPRESSION, superfine);
        else
            configure(&side[i], ecm, modems, compressions, resolutions);
    }
    if (t38)
        for (int i = 0; i < 2; i++)
            side[i].peer = t38_terminal_get_t38_core_state(side[1 - i].t38);
    t30_set_tx_file(side[0].t30, argv[1], -1, -1);
    t30_set_rx_file(side[1].t30, argv[2], -1);

    int tick = 0;
    for (; tick < LIMIT && !(side[0].ended && side[1].ended); tick++) {
        int16_t amp[2][SAMPLES];
        for (int i = 0; i < 2; i++) {
            if (t38) {
                t38_terminal_send_timeout(side[i].t38, SAMPLES);
                continue;
            }
            int n = fax_tx(side[i].fax, amp[i], SAMPLES);
            memset(amp[i] + n, 0, (size_t)(SAMPLES - n) * sizeof amp[i][0]);
        }
        if (!t38)
            for (int i = 0; i < 2; i++)
                fax_rx(side[i].fax, amp[1 - i], SAMPLES);
    }
    for (int i = 0; i < 2; i++)
        if (!side[i].ended || side[i].result != T30_ERR_OK) {
            printf("%s: %s\n", i == 0 ? "sender" : "receiver", side[i].ended ? t30_completion_code_to_str(side[i].result) : "did not end");
            return 1;
        }

    TIFF *sent = TIFFOpen(argv[1], "r"), *received = TIFFOpen(argv[2], "r");
    if (sent == NULL || received == NULL) {
        printf("nothing was received\n");
        return 1;
    }
    int pages = 0, total = 0, wrong = 0, more;
    do {
        int rows;
        wrong += differences(sent, received, &rows);
        total += rows;
        pages++;
        more = TIFFReadDirectory(sent);
    } while (TIFFReadDirectory(received) && more);
    if (more || pages != side[0].stats.pages_tx) {
        printf("%d pages received, %d sent, more in the file: %d\n", pages, side[0].stats.pages_tx, more);
        return 1;
    }
    static const char *const coding[] = {
        [T4_COMPRESSION_ITU_T4_1D] = "mh", [T4_COMPRESSION_ITU_T4_2D] = "mr", [T4_COMPRESSION_ITU_T6] = "mmr"};
    printf("pages %d rows %d wrong %d rate %d ecm %d coding %s seconds %d\n", pages, total, wrong,
           side[0].stats.bit_rate, side[0].stats.error_correcting_mode, coding[side[0].stats.encoding], tick / 50);
    return wrong != 0;
}
