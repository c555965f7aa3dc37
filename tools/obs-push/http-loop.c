/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * curl's multi_socket interface on the GLib main loop: see http-loop.h.
 */
#include "http-loop.h"

#include <glib-unix.h>

struct ObsHttpLoop {
    CURLM *multi;
    GHashTable *sockets;        /* Map<fd, GSource id> */
    guint timer_id;             /* the one timer that curl asked for */
    ObsHttpLoopEnded ended;
};

CURLM *obs_http_loop_multi(ObsHttpLoop *loop)
{
    return loop->multi;
}

void obs_http_loop_collect(ObsHttpLoop *loop)
{
    CURLMsg *msg;
    int left;

    while ((msg = curl_multi_info_read(loop->multi, &left))) {
        if (msg->msg == CURLMSG_DONE) {
            loop->ended(msg->easy_handle, msg->data.result);
        }
    }
}

static void drive(ObsHttpLoop *loop, curl_socket_t fd, int events)
{
    int running;

    curl_multi_socket_action(loop->multi, fd, events, &running);
    obs_http_loop_collect(loop);
}

static gboolean on_socket(gint fd, GIOCondition condition, gpointer user_data)
{
    int events = 0;

    if (condition & G_IO_IN) {
        events |= CURL_CSELECT_IN;
    }
    if (condition & G_IO_OUT) {
        events |= CURL_CSELECT_OUT;
    }
    if (condition & (G_IO_ERR | G_IO_HUP)) {
        events |= CURL_CSELECT_ERR;
    }
    drive(user_data, fd, events);
    return G_SOURCE_CONTINUE;
}

static int on_socket_wish(CURL *easy, curl_socket_t fd, int what,
                          void *user_data, void *socket_data)
{
    ObsHttpLoop *loop = user_data;
    guint id = GPOINTER_TO_UINT(g_hash_table_lookup(loop->sockets,
                                                    GINT_TO_POINTER(fd)));
    GIOCondition condition = G_IO_ERR | G_IO_HUP;

    if (id) {
        g_source_remove(id);
        g_hash_table_remove(loop->sockets, GINT_TO_POINTER(fd));
    }
    if (what == CURL_POLL_REMOVE) {
        return 0;
    }
    if (what & CURL_POLL_IN) {
        condition |= G_IO_IN;
    }
    if (what & CURL_POLL_OUT) {
        condition |= G_IO_OUT;
    }
    id = g_unix_fd_add(fd, condition, on_socket, loop);
    g_hash_table_insert(loop->sockets, GINT_TO_POINTER(fd),
                        GUINT_TO_POINTER(id));
    return 0;
}

static gboolean on_timer(gpointer user_data)
{
    ObsHttpLoop *loop = user_data;

    loop->timer_id = 0;
    drive(loop, CURL_SOCKET_TIMEOUT, 0);
    return G_SOURCE_REMOVE;
}

static int on_timer_wish(CURLM *multi, long ms, void *user_data)
{
    ObsHttpLoop *loop = user_data;

    g_clear_handle_id(&loop->timer_id, g_source_remove);
    if (ms >= 0) {
        loop->timer_id = g_timeout_add(ms, on_timer, loop);
    }
    return 0;
}

ObsHttpLoop *obs_http_loop_new(guint max_connections, ObsHttpLoopEnded ended)
{
    ObsHttpLoop *loop;
    CURLM *multi;

    if (curl_global_init(CURL_GLOBAL_DEFAULT) ||
        !(multi = curl_multi_init())) {
        return NULL;
    }
    loop = g_new0(ObsHttpLoop, 1);
    loop->multi = multi;
    loop->ended = ended;
    loop->sockets = g_hash_table_new(NULL, NULL);
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket_wish);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, loop);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer_wish);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, loop);
    curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS,
                      (long)max_connections);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS,
                      (long)max_connections + 4);
    return loop;
}

void obs_http_loop_free(ObsHttpLoop *loop)
{
    curl_multi_cleanup(loop->multi);
    g_clear_handle_id(&loop->timer_id, g_source_remove);
    g_hash_table_unref(loop->sockets);
    g_free(loop);
}
